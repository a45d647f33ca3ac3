import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * Says whether a node does its work: it answers CQL, has finished its start, and counts as normal
 * (UN in the words of nodetool) in its own view of the ring. Exit code 0 means yes; otherwise the
 * reason is on standard error.
 *
 * <p>It speaks the two requests that it needs itself (CQL binary protocol, version 4) and uses no
 * class of Cassandra: nodetool and cqlsh take two seconds of CPU for the same answer.
 */
public final class Ready {
  private static final int TIMEOUT_MS = 8_000;
  private static final int MAX_FRAME = 16 << 20;
  private static final int STARTUP = 1;
  private static final int READY = 2;
  private static final int QUERY = 7;
  private static final int RESULT = 8;
  private static final int ROWS = 2;

  private final DataInputStream in;
  private final DataOutputStream out;

  private Ready(Socket socket) throws IOException {
    in = new DataInputStream(socket.getInputStream());
    out = new DataOutputStream(socket.getOutputStream());
  }

  public static void main(String[] args) {
    if (args.length != 2) {
      System.err.println("usage: Ready HOST PORT");
      System.exit(2);
    }
    String reason;
    try (Socket socket = new Socket()) {
      socket.connect(new InetSocketAddress(args[0], Integer.parseInt(args[1])), TIMEOUT_MS);
      socket.setSoTimeout(TIMEOUT_MS);
      reason = new Ready(socket).ask(socket.getInetAddress().getHostAddress());
    } catch (IOException e) {
      reason = "the node does not answer CQL: " + e.getMessage();
    }
    if (reason != null) {
      System.err.println(reason);
      System.exit(1);
    }
  }

  /** Asks the node; null means ready. */
  private String ask(String address) throws IOException {
    ByteArrayOutputStream startup = new ByteArrayOutputStream();
    DataOutputStream options = new DataOutputStream(startup);
    options.writeShort(1);
    options.writeUTF("CQL_VERSION"); // ASCII: both encodings agree
    options.writeUTF("3.0.0");
    send(STARTUP, startup.toByteArray());
    int answer = in.readUnsignedByte() == 0x84 ? receive(null) : -1;
    if (answer != READY) {
      throw new IOException("the answer to STARTUP has the code " + answer);
    }
    List<String> boot = query("SELECT bootstrapped FROM system.local");
    if (!boot.contains("COMPLETED")) {
      return "the node has not finished joining: " + boot;
    }
    List<String> state = query("SELECT status_with_port FROM system_views.gossip_info WHERE address = '" + address + "'");
    if (state.stream().noneMatch(s -> s.startsWith("NORMAL"))) {
      return "the node is not normal in the ring: " + state;
    }
    return null;
  }

  private void send(int opcode, byte[] body) throws IOException {
    out.writeByte(4);
    out.writeByte(0);
    out.writeShort(1);
    out.writeByte(opcode);
    out.writeInt(body.length);
    out.write(body);
    out.flush();
  }

  /** Reads a frame behind its version byte and gives its opcode; the body goes to body. */
  private int receive(ByteArrayOutputStream body) throws IOException {
    in.readByte(); // flags
    in.readShort(); // stream
    int opcode = in.readUnsignedByte();
    int length = in.readInt();
    if (length < 0 || length > MAX_FRAME) {
      throw new IOException("a frame of " + length + " bytes");
    }
    byte[] data = in.readNBytes(length);
    if (body != null) {
      body.write(data);
    }
    return opcode;
  }

  /** The values of the one text column that a query gives. */
  private List<String> query(String text) throws IOException {
    ByteArrayOutputStream request = new ByteArrayOutputStream();
    DataOutputStream q = new DataOutputStream(request);
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    q.writeInt(bytes.length);
    q.write(bytes);
    q.writeShort(1); // consistency ONE: the tables are the node's own
    q.writeByte(0);
    send(QUERY, request.toByteArray());
    in.readByte(); // version
    ByteArrayOutputStream answer = new ByteArrayOutputStream();
    int opcode = receive(answer);
    DataInputStream result = new DataInputStream(new ByteArrayInputStream(answer.toByteArray()));
    if (opcode != RESULT || result.readInt() != ROWS) {
      throw new IOException("the answer to a query has the code " + opcode);
    }
    return rows(result);
  }

  private static List<String> rows(DataInputStream result) throws IOException {
    int flags = result.readInt();
    int columns = result.readInt();
    if (columns != 1 || (flags & 1) == 0) {
      throw new IOException("an answer of " + columns + " columns");
    }
    for (int i = 0; i < 3; i++) { // keyspace, table, column
      result.readUTF();
    }
    result.readShort(); // type
    List<String> values = new ArrayList<>();
    for (int n = result.readInt(); n > 0; n--) {
      int length = result.readInt();
      values.add(length < 0 ? "" : new String(result.readNBytes(length), StandardCharsets.UTF_8));
    }
    return values;
  }
}
