import java.io.IOException;
import java.io.InputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.Watcher.Event.KeeperState;
import org.apache.zookeeper.ZooDefs;
import org.apache.zookeeper.ZooKeeper;

/**
 * The package's own small client: one command, its result on standard output, an exit code that
 * says whether it worked. It also writes the number of a server into its volume.
 */
public final class Zk {
  private static final int TIMEOUT_MS = 15_000;
  private static final int MAX_ANSWER = 1 << 16;

  private Zk() {}

  public static void main(String[] args) throws Exception {
    if (args.length < 2) {
      fail("usage: myid DIR N | status SERVERS | get|ls|delete SERVERS PATH | create|set SERVERS PATH DATA");
    }
    switch (args[0]) {
      case "myid" -> myid(Path.of(args[1]), args[2]);
      case "status" -> status(args[1]);
      default -> command(args);
    }
  }

  private static void fail(String message) {
    System.err.println(message);
    System.exit(1);
  }

  /** Writes the server's number once. A volume of another server is refused. */
  private static void myid(Path dir, String number) throws IOException {
    Path file = dir.resolve("myid");
    if (Files.exists(file)) {
      String old = Files.readString(file).strip();
      if (!old.equals(number)) {
        fail("the volume belongs to server " + old + " and not to server " + number);
      }
      return;
    }
    Path temp = dir.resolve("myid.new");
    Files.writeString(temp, number + "\n");
    Files.move(temp, file, StandardCopyOption.ATOMIC_MOVE);
  }

  /** Asks each server how it does. Fails unless exactly one leads, or one stands alone. */
  private static void status(String servers) {
    int leaders = 0;
    for (String server : servers.split(",")) {
      String answer;
      try {
        answer = srvr(server);
      } catch (IOException e) {
        System.out.println(server + "\tunreachable\t" + e.getMessage());
        continue;
      }
      String mode = field(answer, "Mode: ");
      if (mode.equals("leader") || mode.equals("standalone")) {
        leaders++;
      }
      System.out.println(server + "\t" + (mode.isEmpty() ? "not serving" : mode) + "\t"
          + field(answer, "Node count: ") + " nodes\t" + field(answer, "Zookeeper version: ").replaceAll("[-,].*", ""));
    }
    if (leaders != 1) {
      fail("the ensemble has " + leaders + " leaders and not one");
    }
  }

  private static String srvr(String server) throws IOException {
    int colon = server.lastIndexOf(':');
    try (Socket socket = new Socket()) {
      int port = Integer.parseInt(server.substring(colon + 1));
      socket.connect(new InetSocketAddress(server.substring(0, colon), port), TIMEOUT_MS);
      socket.setSoTimeout(TIMEOUT_MS);
      socket.getOutputStream().write("srvr".getBytes(StandardCharsets.US_ASCII));
      InputStream in = socket.getInputStream();
      return new String(in.readNBytes(MAX_ANSWER), StandardCharsets.US_ASCII);
    }
  }

  private static String field(String answer, String name) {
    return answer.lines().filter(l -> l.startsWith(name)).map(l -> l.substring(name.length())).findFirst().orElse("");
  }

  private static void command(String[] args) throws Exception {
    CountDownLatch connected = new CountDownLatch(1);
    try (ZooKeeper zk = new ZooKeeper(args[1], TIMEOUT_MS, event -> {
      if (event.getState() == KeeperState.SyncConnected) {
        connected.countDown();
      }
    })) {
      if (!connected.await(TIMEOUT_MS, TimeUnit.MILLISECONDS)) {
        fail("no server of " + args[1] + " answered within " + TIMEOUT_MS / 1000 + " s");
      }
      run(zk, args);
    } catch (KeeperException e) {
      fail(e.getMessage());
    } catch (IllegalArgumentException e) {
      fail(e.getMessage() + ": a path is absolute, such as /app/key");
    }
  }

  private static void run(ZooKeeper zk, String[] args) throws KeeperException, InterruptedException {
    String path = args[2];
    byte[] data = args.length > 3 ? args[3].getBytes(StandardCharsets.UTF_8) : new byte[0];
    switch (args[0]) {
      case "get" -> {
        byte[] found = zk.getData(path, false, null);
        System.out.println(found == null ? "" : new String(found, StandardCharsets.UTF_8));
      }
      case "ls" -> {
        List<String> children = zk.getChildren(path, false);
        children.stream().sorted().forEach(System.out::println);
      }
      case "create" -> System.out.println(zk.create(path, data, ZooDefs.Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT));
      case "set" -> System.out.println("version " + zk.setData(path, data, -1).getVersion());
      case "delete" -> zk.delete(path, -1);
      default -> fail("there is no command " + args[0]);
    }
  }
}
