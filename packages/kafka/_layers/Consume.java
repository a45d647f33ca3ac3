import java.nio.charset.StandardCharsets;
import java.io.PrintStream;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;

/**
 * Prints the messages of a topic from its beginning, one a line, and ends at the last message that
 * was there when it began, or after as many as asked for. It joins no group and changes nothing.
 */
public final class Consume {
  private static final Duration POLL = Duration.ofMillis(500);

  private Consume() {}

  public static void main(String[] args) {
    if (args.length != 4) {
      System.err.println("usage: Consume BOOTSTRAP TOPIC MAX SECONDS");
      System.exit(2);
    }
    Map<String, Object> config = new HashMap<>();
    config.put("bootstrap.servers", args[0]);
    config.put("default.api.timeout.ms", 1000 * Integer.parseInt(args[3]));
    config.put("allow.auto.create.topics", "false");
    config.put("enable.auto.commit", "false");
    long until = System.nanoTime() + 1_000_000_000L * Integer.parseInt(args[3]);
    try (KafkaConsumer<String, String> consumer =
        new KafkaConsumer<>(config, new StringDeserializer(), new StringDeserializer())) {
      List<TopicPartition> partitions =
          consumer.partitionsFor(args[1]).stream().map(p -> new TopicPartition(p.topic(), p.partition())).toList();
      if (partitions.isEmpty()) {
        throw new KafkaException("there is no topic " + args[1]);
      }
      consumer.assign(partitions);
      consumer.seekToBeginning(partitions);
      read(consumer, Long.parseLong(args[2]), until);
    } catch (KafkaException e) {
      System.err.println(e.getMessage());
      System.exit(1);
    }
  }

  private static void read(KafkaConsumer<String, String> consumer, long max, long until) {
    Map<TopicPartition, Long> ends = consumer.endOffsets(consumer.assignment());
    PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
    long n = 0;
    while (n < max && ends.entrySet().stream().anyMatch(e -> consumer.position(e.getKey()) < e.getValue())) {
      if (System.nanoTime() > until) {
        out.flush();
        throw new KafkaException("time is up after " + n + " messages");
      }
      for (ConsumerRecord<String, String> record : consumer.poll(POLL)) {
        if (n < max) {
          out.println(record.value());
          n++;
        }
      }
    }
    out.flush();
  }
}
