import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.TreeSet;
import org.apache.spark.SparkEnv;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.SparkSession;

/**
 * Computes pi on the cluster by the Monte Carlo method: each task throws points at a square and
 * counts those in the circle. The seeds are fixed, so the same number of tasks gives the same
 * answer wherever they run. Prints pi and the executors that had a part in it.
 */
public final class Pi {
  private static final int POINTS_PER_TASK = 100_000;

  /** What one task found, and where it ran. */
  private record Part(String executor, long inside) implements Serializable {}

  private Pi() {}

  public static void main(String[] args) throws Exception {
    int tasks = args.length > 0 ? Integer.parseInt(args[0]) : 20;
    try (SparkSession session = SparkSession.builder().appName("pi").getOrCreate()) {
      List<Integer> seeds = new ArrayList<>();
      for (int i = 0; i < tasks; i++) {
        seeds.add(i);
      }
      List<Part> parts =
          new JavaSparkContext(session.sparkContext())
              .parallelize(seeds, tasks)
              .map(Pi::part)
              .collect();
      long inside = 0;
      TreeSet<String> executors = new TreeSet<>();
      for (Part part : parts) {
        inside += part.inside();
        executors.add(part.executor());
      }
      System.out.println("Pi is roughly " + 4.0 * inside / ((long) tasks * POINTS_PER_TASK));
      System.out.println("Executors: " + executors.size() + " (" + String.join(", ", executors) + ")");
    }
  }

  private static Part part(int seed) {
    SplittableRandom random = new SplittableRandom(seed);
    long inside = 0;
    for (int i = 0; i < POINTS_PER_TASK; i++) {
      double x = random.nextDouble();
      double y = random.nextDouble();
      if (x * x + y * y <= 1) {
        inside++;
      }
    }
    SparkEnv env = SparkEnv.get();
    return new Part(env.blockManager().blockManagerId().host() + ":" + env.executorId(), inside);
  }
}
