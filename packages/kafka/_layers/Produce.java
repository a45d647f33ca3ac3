import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * Sends one message, or the numbers from 1 to N, and tells how many the cluster has taken. A
 * message counts when all replicas in sync have it. Fails unless all are taken.
 */
public final class Produce {
  private static final int DELIVERY_MS = 120_000;

  private Produce() {}

  public static void main(String[] args) throws Exception {
    if (args.length < 4 || !args[2].equals("text") && !args[2].equals("numbers")) {
      System.err.println("usage: Produce BOOTSTRAP TOPIC text MESSAGE | numbers COUNT RATE");
      System.exit(2);
    }
    boolean numbers = args[2].equals("numbers");
    int count = numbers ? Integer.parseInt(args[3]) : 1;
    int rate = numbers && args.length > 4 ? Integer.parseInt(args[4]) : 0;
    Map<String, Object> config = new HashMap<>();
    config.put("bootstrap.servers", args[0]);
    config.put("acks", "all");
    config.put("enable.idempotence", "true");
    config.put("delivery.timeout.ms", DELIVERY_MS);
    config.put("max.block.ms", DELIVERY_MS);
    config.put("linger.ms", rate > 0 ? 0 : 5);
    config.put("buffer.memory", 16 << 20);
    AtomicInteger taken = new AtomicInteger();
    AtomicInteger failed = new AtomicInteger();
    long start = System.nanoTime();
    try (KafkaProducer<String, String> producer =
        new KafkaProducer<>(config, new StringSerializer(), new StringSerializer())) {
      for (int i = 1; i <= count; i++) {
        pace(start, i, rate);
        producer.send(new ProducerRecord<>(args[1], numbers ? Integer.toString(i) : args[3]), (metadata, error) -> {
          if (error == null) {
            taken.incrementAndGet();
          } else if (failed.incrementAndGet() == 1) {
            System.err.println(error.getMessage());
          }
        });
      }
    }
    System.out.println("sent " + count + ", taken " + taken + ", failed " + failed);
    System.exit(taken.get() == count ? 0 : 1);
  }

  /** Waits until message i is due at a rate of messages per second; 0 is as fast as can be. */
  private static void pace(long start, int i, int rate) throws InterruptedException {
    if (rate <= 0) {
      return;
    }
    long wait = start + (i - 1) * 1_000_000_000L / rate - System.nanoTime();
    if (wait > 0) {
      Thread.sleep(wait / 1_000_000, (int) (wait % 1_000_000));
    }
  }
}
