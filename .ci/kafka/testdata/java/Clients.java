import java.time.Duration;
import java.util.*;
import java.util.concurrent.*;
import java.util.stream.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.config.*;
import org.apache.kafka.common.serialization.*;
import org.apache.kafka.streams.*;
import org.apache.kafka.streams.kstream.*;
import org.apache.kafka.streams.state.*;

/** Kafka's own clients against one broker: Clients ADDRESS FOLDER. Prints what failed, then "N passed, M failed". */
public final class Clients {
    private interface Check { void run() throws Exception; }

    private static final Duration PATIENCE = Duration.ofMinutes(2);
    private static String broker;
    private static int passed;
    private static final List<String> failed = new ArrayList<>();

    public static void main(String[] args) throws Exception {
        broker = args[0];
        check("compressions", Clients::compressions);
        check("admin", Clients::admin);
        check("group", Clients::group);
        check("transactions", Clients::transactions);
        check("times", Clients::times);
        check("streams word count", () -> wordCount(args[1], StreamsConfig.AT_LEAST_ONCE));
        check("streams word count, exactly once", () -> wordCount(args[1], StreamsConfig.EXACTLY_ONCE_V2));
        failed.forEach(f -> System.out.println("FAILED " + f));
        System.out.println(passed + " passed, " + failed.size() + " failed");
        System.exit(failed.isEmpty() ? 0 : 1);
    }

    private static void check(String name, Check c) {
        try {
            c.run();
            passed++;
        } catch (Throwable x) {
            var trace = new java.io.StringWriter();
            x.printStackTrace(new java.io.PrintWriter(trace));
            failed.add(name + ": " + trace);
        }
    }

    private static void same(Object want, Object got) {
        if (!Objects.equals(want, got)) {
            throw new AssertionError("want " + want + ", got " + got);
        }
    }

    private static String fresh(String name) { return name + "-" + UUID.randomUUID().toString().substring(0, 8); }

    private static KafkaProducer<String, String> producer(Map<String, Object> more) {
        var conf = new HashMap<String, Object>(more);
        conf.put(ProducerConfig.BOOTSTRAP_SERVERS_CONFIG, broker);
        return new KafkaProducer<>(conf, new StringSerializer(), new StringSerializer());
    }

    private static KafkaConsumer<String, String> consumer(Map<String, Object> more) {
        var conf = new HashMap<String, Object>(Map.of(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest", ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, false));
        conf.putAll(more);
        conf.put(ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG, broker);
        return new KafkaConsumer<>(conf, new StringDeserializer(), new StringDeserializer());
    }

    private static Admin open() { return Admin.create(Map.of(AdminClientConfig.BOOTSTRAP_SERVERS_CONFIG, broker)); }

    private static void create(String topic, int partitions) throws Exception {
        try (var admin = open()) {
            admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 1))).all().get();
        }
    }

    /** Polls until so many values have come, or patience ends. */
    private static List<ConsumerRecord<String, String>> poll(Consumer<String, String> c, int want) {
        var out = new ArrayList<ConsumerRecord<String, String>>();
        for (long end = System.nanoTime() + PATIENCE.toNanos(); out.size() < want && System.nanoTime() < end; ) {
            c.poll(Duration.ofMillis(200)).forEach(out::add);
        }
        return out;
    }

    private static void compressions() throws Exception {
        for (var codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
            var topic = fresh("java-" + codec);
            try (var p = producer(Map.of(ProducerConfig.COMPRESSION_TYPE_CONFIG, codec, ProducerConfig.LINGER_MS_CONFIG, 5))) {
                for (int i = 0; i < 5000; i++) {
                    p.send(new ProducerRecord<>(topic, "k" + i % 7, "value number " + i));
                }
            }
            try (var c = consumer(Map.of())) {
                var part = new TopicPartition(topic, 0);
                c.assign(List.of(part));
                var got = poll(c, 5000);
                same(5000, got.size());
                for (int i = 0; i < 5000; i++) {
                    same((long) i, got.get(i).offset());
                    same("value number " + i, got.get(i).value());
                }
            }
        }
    }

    private static void admin() throws Exception {
        var topic = fresh("java-admin");
        try (var admin = open()) {
            same(1, admin.describeCluster().nodes().get().size());
            admin.createTopics(List.of(new NewTopic(topic, 2, (short) 1).configs(Map.of("retention.ms", "123456")))).all().get();
            same(2, admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic).partitions().size());
            var resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
            same("123456", admin.describeConfigs(List.of(resource)).all().get().get(resource).get("retention.ms").value());
            admin.incrementalAlterConfigs(Map.of(resource, List.of(
                new AlterConfigOp(new ConfigEntry("cleanup.policy", "compact"), AlterConfigOp.OpType.APPEND),
                new AlterConfigOp(new ConfigEntry("retention.ms", ""), AlterConfigOp.OpType.DELETE)))).all().get();
            var now = admin.describeConfigs(List.of(resource)).all().get().get(resource);
            same(Set.of("delete", "compact"), Set.of(now.get("cleanup.policy").value().split(",")));
            same(true, now.get("retention.ms").isDefault());
            admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(3))).all().get();
            same(3, admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic).partitions().size());
            try {
                admin.createTopics(List.of(new NewTopic(topic, 1, (short) 1))).all().get();
                throw new AssertionError("a topic was made twice");
            } catch (ExecutionException x) {
                same("TopicExistsException", x.getCause().getClass().getSimpleName());
            }
            try (var p = producer(Map.of())) {
                for (int i = 0; i < 10; i++) {
                    p.send(new ProducerRecord<>(topic, 0, "k" + i, "v")).get();
                }
            }
            var part = new TopicPartition(topic, 0);
            same(4L, admin.deleteRecords(Map.of(part, RecordsToDelete.beforeOffset(4))).all().get() == null
                ? admin.listOffsets(Map.of(part, OffsetSpec.earliest())).all().get().get(part).offset() : -1L);
            same(10L, admin.listOffsets(Map.of(part, OffsetSpec.latest())).all().get().get(part).offset());
            admin.deleteTopics(List.of(topic)).all().get();
            same(false, admin.listTopics().names().get().contains(topic));
        }
    }

    private static void group() throws Exception {
        var topic = fresh("java-group");
        create(topic, 4);
        try (var p = producer(Map.of())) {
            for (int i = 0; i < 400; i++) {
                p.send(new ProducerRecord<>(topic, i % 4, null, "" + i));
            }
        }
        var conf = Map.<String, Object>of(ConsumerConfig.GROUP_ID_CONFIG, topic);
        var seen = new TreeSet<Integer>();
        try (var a = consumer(conf); var b = consumer(conf)) {
            a.subscribe(List.of(topic));
            b.subscribe(List.of(topic));
            for (long end = System.nanoTime() + PATIENCE.toNanos(); System.nanoTime() < end; ) {
                for (var c : List.of(a, b)) {
                    c.poll(Duration.ofMillis(100)).forEach(r -> seen.add(Integer.parseInt(r.value())));
                    c.commitSync();
                }
                if (seen.size() == 400 && a.assignment().size() == 2 && b.assignment().size() == 2) {
                    break;
                }
            }
            same(400, seen.size());
            same(2, a.assignment().size());
        }
        try (var admin = open()) {
            var committed = admin.listConsumerGroupOffsets(topic).partitionsToOffsetAndMetadata().get();
            same(400L, committed.values().stream().mapToLong(OffsetAndMetadata::offset).sum());
            same(true, admin.listGroups().all().get().stream().anyMatch(g -> g.groupId().equals(topic)));
            admin.deleteConsumerGroups(List.of(topic)).all().get();
        }
    }

    private static void transactions() throws Exception {
        var topic = fresh("java-txn");
        create(topic, 1);
        try (var p = producer(Map.of(ProducerConfig.TRANSACTIONAL_ID_CONFIG, topic))) {
            p.initTransactions();
            for (int t = 0; t < 10; t++) {
                p.beginTransaction();
                for (int i = 0; i < 10; i++) {
                    p.send(new ProducerRecord<>(topic, "t" + t, "" + i));
                }
                if (t % 2 == 0) {
                    p.commitTransaction();
                } else {
                    p.flush();
                    p.abortTransaction();
                }
            }
            try (var fencing = producer(Map.of(ProducerConfig.TRANSACTIONAL_ID_CONFIG, topic))) {
                fencing.initTransactions();
                p.beginTransaction();
                p.send(new ProducerRecord<>(topic, "zombie", ""));
                try {
                    p.commitTransaction();
                    throw new AssertionError("a fenced producer has committed");
                } catch (KafkaException x) {
                    // as it must be
                }
            }
        }
        try (var c = consumer(Map.of(ConsumerConfig.ISOLATION_LEVEL_CONFIG, "read_committed"))) {
            var part = new TopicPartition(topic, 0);
            c.assign(List.of(part));
            var got = poll(c, 50);
            c.poll(Duration.ofMillis(500)).forEach(got::add);
            same(50, got.size());
            same(Set.of("t0", "t2", "t4", "t6", "t8"), got.stream().map(ConsumerRecord::key).collect(Collectors.toSet()));
        }
    }

    private static void times() throws Exception {
        var topic = fresh("java-times");
        create(topic, 1);
        try (var p = producer(Map.of())) {
            for (long i = 0; i < 10; i++) {
                p.send(new ProducerRecord<>(topic, 0, 1_700_000_000_000L + i * 1000, "k", "" + i)).get();
            }
        }
        try (var c = consumer(Map.of())) {
            var part = new TopicPartition(topic, 0);
            same(4L, c.offsetsForTimes(Map.of(part, 1_700_000_003_500L)).get(part).offset());
            same(null, c.offsetsForTimes(Map.of(part, 1_800_000_000_000L)).get(part));
            same(10L, c.endOffsets(List.of(part)).get(part));
        }
    }

    private static void wordCount(String folder, String guarantee) throws Exception {
        var in = fresh("java-lines");
        var out = fresh("java-counts");
        create(in, 2);
        create(out, 2);
        try (var p = producer(Map.of())) {
            for (int i = 0; i < 300; i++) {
                p.send(new ProducerRecord<>(in, "" + i, List.of("the crane lifts", "the ship waits", "the truck turns").get(i % 3)));
            }
        }
        var b = new StreamsBuilder();
        b.stream(in, Consumed.with(Serdes.String(), Serdes.String()))
            .flatMapValues(line -> List.of(line.split(" ")))
            .groupBy((k, word) -> word, Grouped.with(Serdes.String(), Serdes.String()))
            .count(Materialized.<String, Long>as(Stores.inMemoryKeyValueStore("counts")).withKeySerde(Serdes.String()).withValueSerde(Serdes.Long()))
            .toStream().mapValues(n -> "" + n).to(out, Produced.with(Serdes.String(), Serdes.String()));
        var conf = new Properties();
        conf.put(StreamsConfig.APPLICATION_ID_CONFIG, fresh("java-words"));
        conf.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, broker);
        conf.put(StreamsConfig.STATE_DIR_CONFIG, folder);
        conf.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, guarantee);
        conf.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 200);
        conf.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
        var want = Map.of("the", "300", "crane", "100", "lifts", "100", "ship", "100", "waits", "100", "truck", "100", "turns", "100");
        try (var streams = new KafkaStreams(b.build(), conf); var c = consumer(Map.of(ConsumerConfig.ISOLATION_LEVEL_CONFIG, "read_committed"))) {
            streams.start();
            c.assign(List.of(new TopicPartition(out, 0), new TopicPartition(out, 1)));
            var counts = new HashMap<String, String>();
            for (long end = System.nanoTime() + PATIENCE.toNanos(); !counts.equals(want) && System.nanoTime() < end; ) {
                c.poll(Duration.ofMillis(200)).forEach(r -> counts.put(r.key(), r.value()));
            }
            same(want, counts);
        }
    }
}
