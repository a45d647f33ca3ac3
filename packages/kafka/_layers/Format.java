import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.Base64;

/**
 * Formats the volume of a broker once: a volume that is formatted already is left as it is. All
 * brokers of a service derive the same identity of the cluster from the service's name, so none of
 * them has to be told it by another.
 */
public final class Format {
  private static final int ID_BYTES = 16;

  private Format() {}

  public static void main(String[] args) throws Exception {
    if (args.length != 2) {
      System.err.println("usage: Format SERVICE CONFIG");
      System.exit(1);
    }
    byte[] digest = MessageDigest.getInstance("SHA-256").digest(args[0].getBytes(StandardCharsets.UTF_8));
    digest[0] &= 0x7f; // an id that begins with a dash would be taken for an option
    String id = Base64.getUrlEncoder().withoutPadding().encodeToString(Arrays.copyOf(digest, ID_BYTES));
    kafka.tools.StorageTool.main(new String[] {"format", "--cluster-id", id, "--config", args[1], "--ignore-formatted"});
  }
}
