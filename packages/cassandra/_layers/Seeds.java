import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.UnknownHostException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.cassandra.locator.InetAddressAndPort;
import org.apache.cassandra.locator.SeedProvider;
import org.apache.cassandra.utils.FBUtilities;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The seeds of a node: those of its configuration, without the node itself. A seed does not copy
 * data as it joins, so only the first node of a new cluster is a seed to itself. The first node is
 * not one when it starts beside others: on an empty volume it has to copy what it lost.
 */
public final class Seeds implements SeedProvider {
  private static final Logger LOG = LoggerFactory.getLogger(Seeds.class);
  private static final int CONNECT_MS = 2_000;

  private final String[] names;
  private Boolean alone; // whether no other seed answered when the node started

  public Seeds(Map<String, String> parameters) {
    names = parameters.get("seeds").split(",");
  }

  @Override
  public synchronized List<InetAddressAndPort> getSeeds() {
    InetAddressAndPort self = FBUtilities.getBroadcastAddressAndPort();
    List<InetAddressAndPort> others = new ArrayList<>();
    boolean first = false;
    for (int i = 0; i < names.length; i++) {
      try {
        InetAddressAndPort seed = InetAddressAndPort.getByName(names[i].strip());
        if (!seed.equals(self)) {
          others.add(seed);
        } else if (i == 0) {
          first = true;
        }
      } catch (UnknownHostException e) {
        LOG.warn("the seed {} has no address yet", names[i]);
      }
    }
    if (first) {
      if (alone == null) {
        alone = others.stream().noneMatch(Seeds::answers);
      }
      if (alone) {
        return List.of(self); // beside others that are not there it would wait for them, half a minute
      }
    }
    return others;
  }

  private static boolean answers(InetAddressAndPort seed) {
    try (Socket socket = new Socket()) {
      socket.connect(new InetSocketAddress(seed.getAddress(), seed.getPort()), CONNECT_MS);
      return true;
    } catch (IOException e) {
      return false;
    }
  }
}
