import io.debezium.engine.ChangeEvent;
import io.debezium.engine.DebeziumEngine;
import io.debezium.engine.format.Json;
import java.io.FileReader;
import java.util.Properties;
import java.util.concurrent.Executors;

/**
 * Debezium embedded, whose events are made as JSON and dropped: says "first" when the first has come and "last" when so
 * many have, and ends when its input does, so that what it took can be read before. Arguments: PROPERTIES COUNT.
 */
public class Events {
  private static long seen, bytes;

  public static void main(String[] args) throws Exception {
    var properties = new Properties();
    try (var file = new FileReader(args[0])) { properties.load(file); }
    long want = Long.parseLong(args[1]);
    var engine = DebeziumEngine.create(Json.class).using(properties)
        .using((DebeziumEngine.CompletionCallback) (ok, message, error) -> {
          if (error != null) { error.printStackTrace(); Runtime.getRuntime().halt(1); }
        })
        .notifying((events, committer) -> {
          for (ChangeEvent<String, String> event : events) {
            if (seen++ == 0) System.out.println("first");
            if (event.value() != null) bytes += event.value().length();
            committer.markProcessed(event);
            if (seen == want) System.out.println("last");
          }
          committer.markBatchFinished();
        }).build();
    var pool = Executors.newSingleThreadExecutor();
    pool.execute(engine);
    while (System.in.read() >= 0) { }
    engine.close(); // which saves where it is
    pool.shutdown();
    System.exit(0);
  }
}
