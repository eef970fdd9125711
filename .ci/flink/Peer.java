import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.TableEnvironment;

/**
 * Runs one query on Flink inside this JVM, in streaming mode, over files of Nexmark events, and
 * tells what it cost. Arguments: the files' folder, the query's file, a folder to be made.
 *
 * <p>The first line of a query's file names the columns of its result, "-- sink: NAME TYPE, ...";
 * the rest is one SELECT. It runs twice into JSON files with a checkpoint every two seconds, as
 * exactly-once asks for: first to warm up, then for the figures.
 */
public class Peer {
  private static final String TOPIC = "CREATE TABLE %s (%s, WATERMARK FOR `dateTime` AS `dateTime` - INTERVAL '4' SECOND)"
      + " WITH ('connector' = 'filesystem', 'path' = 'file://%s/%1$s', 'format' = 'json', 'json.timestamp-format.standard' = 'ISO-8601')";
  private static final String BID = "auction BIGINT, bidder BIGINT, price BIGINT, channel STRING, url STRING, `dateTime` TIMESTAMP_LTZ(3), extra STRING";

  public static void main(String[] args) throws Exception {
    Path out = Path.of(args[2]).toAbsolutePath();
    String query = Files.readString(Path.of(args[1])).strip();
    String head = query.lines().findFirst().orElse("");
    if (!head.startsWith("-- sink: ")) {
      throw new IllegalArgumentException(args[1] + ": the first line must be: -- sink: NAME TYPE, ...");
    }
    var tables = TableEnvironment.create(EnvironmentSettings.newInstance().inStreamingMode().withConfiguration(settings(out)).build());
    tables.executeSql(TOPIC.formatted("bid", BID, Path.of(args[0]).toAbsolutePath()));
    for (String pass : new String[] {"warm", "result"}) {
      tables.executeSql("CREATE TABLE `%s` (%s) WITH ('connector' = 'filesystem', 'path' = 'file://%s/%1$s', 'format' = 'json')"
          .formatted(pass, head.substring("-- sink: ".length()), out));
      long began = System.nanoTime();
      long before = cpuNanos();
      tables.executeSql("INSERT INTO `%s` %s".formatted(pass, query)).await();
      System.out.printf("%s_wall_s=%.2f%n%1$s_cpu_s=%.2f%n", pass, (System.nanoTime() - began) / 1e9, (cpuNanos() - before) / 1e9);
    }
    System.out.printf("process_cpu_s=%.2f%nrss_mb=%d%n", cpuNanos() / 1e9, peakMegabytes());
    System.exit(0);
  }

  private static Configuration settings(Path out) {
    var c = new Configuration();
    c.setString("parallelism.default", "2");
    c.setString("taskmanager.numberOfTaskSlots", "8");
    c.setString("taskmanager.memory.network.min", "256mb");
    c.setString("taskmanager.memory.network.max", "256mb");
    c.setString("execution.checkpointing.interval", "2 s");
    c.setString("execution.checkpointing.storage", "filesystem");
    c.setString("execution.checkpointing.dir", "file://" + out + "/checkpoints");
    c.setString("table.exec.mini-batch.enabled", "true");
    c.setString("table.exec.mini-batch.allow-latency", "2 s");
    c.setString("table.exec.mini-batch.size", "50000");
    c.setString("table.optimizer.distinct-agg.split.enabled", "true");
    c.setString("table.local-time-zone", "UTC");
    return c;
  }

  private static long cpuNanos() {
    return ((OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean()).getProcessCpuTime();
  }

  private static long peakMegabytes() throws Exception {
    for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
      if (line.startsWith("VmHWM")) {
        return Long.parseLong(line.replaceAll("[^0-9]", "")) / 1024;
      }
    }
    return 0;
  }
}
