#!/usr/bin/env python3
"""What librdkafka does, against one broker: librdkafka.py ADDRESS. Prints what failed, then "N passed, M failed"."""
import sys
import time
import traceback
import uuid

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, NewTopic, ResourceType

PATIENCE = 120  # seconds that a wait may take at most
broker = {"bootstrap.servers": sys.argv[1]}
admin = AdminClient(broker)
passed, failed = 0, []


def check(f):
    global passed
    try:
        f()
        passed += 1
    except Exception:
        failed.append(f"{f.__name__}: {traceback.format_exc()}")
    return f


def fresh(name):
    return f"rd-{name}-{uuid.uuid4().hex[:8]}"


def done(futures):
    return {k: f.result(PATIENCE) for k, f in futures.items()}


def create(name, partitions=1, **config):
    topic = fresh(name)
    done(admin.create_topics([NewTopic(topic, partitions, 1, config=config)]))
    return topic


def produce(topic, n, size=100, **more):
    errors = []
    p = Producer(broker | {"linger.ms": 5} | more)
    for i in range(n):
        while True:
            try:
                p.produce(topic, b"%d:" % i + b"x" * size, key=b"%d" % i, headers=[("n", b"%d" % i)], on_delivery=lambda e, m: e and errors.append(str(e)))
                break
            except BufferError:
                p.poll(0.05)
        if i % 1000 == 0:
            p.poll(0)
    left = p.flush(PATIENCE)
    assert left == 0 and not errors, (left, errors[:2])


def consume(c, n):
    out, end = [], time.time() + PATIENCE
    while len(out) < n and time.time() < end:
        for m in c.consume(1000, 0.5):
            if m.error():
                raise KafkaException(m.error())
            out.append(m)
    return out


@check
def idempotent():
    topic = create("idempotent")
    produce(topic, 50_000, **{"enable.idempotence": True})
    c = Consumer(broker | {"group.id": topic})
    c.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
    got = consume(c, 50_000)
    assert [m.offset() for m in got] == list(range(50_000))
    assert all(m.key() == b"%d" % i and dict(m.headers())["n"] == m.key() for i, m in enumerate(got))
    assert c.get_watermark_offsets(TopicPartition(topic, 0), timeout=10) == (0, 50_000)
    c.close()


@check
def codecs():
    for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
        topic = fresh(codec)  # made by the first record
        produce(topic, 2000, **{"compression.type": codec, "acks": "1"})
        c = Consumer(broker | {"group.id": topic})
        c.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
        assert [m.key() for m in consume(c, 2000)] == [b"%d" % i for i in range(2000)], codec
        c.close()


@check
def groups():
    topic = create("groups", 4)
    produce(topic, 2000)
    conf = broker | {"group.id": topic, "enable.auto.commit": False, "auto.offset.reset": "earliest", "session.timeout.ms": 6000}
    members = [Consumer(conf) for _ in range(2)]
    for m in members:
        m.subscribe([topic])
    seen, end = [], time.time() + PATIENCE
    while time.time() < end and not (len(seen) >= 2000 and all(len(m.assignment()) == 2 for m in members)):
        for m in members:
            got = m.consume(500, 0.2)
            seen += [r.key() for r in got if not r.error()]
            if got:
                m.commit(asynchronous=False)
    assert sorted(set(seen)) == sorted(b"%d" % i for i in range(2000))
    assert len(members[0].assignment()) == 2
    for m in members:
        m.close()
    again = Consumer(conf)
    assert sum(p.offset for p in again.committed([TopicPartition(topic, i) for i in range(4)], timeout=10)) == 2000
    again.close()
    assert any(g.group_id == topic for g in admin.list_consumer_groups().result(PATIENCE).valid)
    done(admin.delete_consumer_groups([topic]))


@check
def static_member_comes_back():
    topic = create("static", 2)
    conf = broker | {"group.id": topic, "group.instance.id": "one", "auto.offset.reset": "earliest", "session.timeout.ms": 30000}
    for _ in range(2):
        c = Consumer(conf)
        c.subscribe([topic])
        end = time.time() + PATIENCE
        while len(c.assignment()) < 2 and time.time() < end:
            c.poll(0.2)
        assert len(c.assignment()) == 2
        c.close()


@check
def transactions():
    topic = create("transactions")
    p = Producer(broker | {"transactional.id": topic})
    p.init_transactions(PATIENCE)
    for t in range(6):
        p.begin_transaction()
        for i in range(10):
            p.produce(topic, b"%d" % i, key=b"%d" % t)
        if t % 2 == 0:
            p.commit_transaction(PATIENCE)
        else:
            p.flush(PATIENCE)
            p.abort_transaction(PATIENCE)
    c = Consumer(broker | {"group.id": topic, "isolation.level": "read_committed"})
    c.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
    got = consume(c, 30) + c.consume(100, 1.0)
    assert [m.key() for m in got] == [b"%d" % t for t in (0, 2, 4) for _ in range(10)], len(got)
    c.close()


@check
def times():
    topic = create("times")
    p = Producer(broker)
    for i in range(10):
        p.produce(topic, b"v", timestamp=1_700_000_000_000 + i * 1000)
    p.flush(PATIENCE)
    c = Consumer(broker | {"group.id": topic})
    assert c.offsets_for_times([TopicPartition(topic, 0, 1_700_000_003_500)], timeout=10)[0].offset == 4
    c.close()


@check
def configs():
    topic = create("configs", 2, **{"retention.ms": "123456"})
    of = ConfigResource(ResourceType.TOPIC, topic)
    assert done(admin.describe_configs([of]))[of]["retention.ms"].value == "123456"
    change = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[
        ConfigEntry("cleanup.policy", "compact", incremental_operation=AlterConfigOpType.APPEND)])
    done(admin.incremental_alter_configs([change]))
    assert set(done(admin.describe_configs([of]))[of]["cleanup.policy"].value.split(",")) == {"delete", "compact"}
    done(admin.create_partitions([NewPartitions(topic, 3)]))
    end = time.time() + PATIENCE
    while len(admin.list_topics(topic, timeout=10).topics[topic].partitions) != 3 and time.time() < end:
        time.sleep(0.1)
    assert len(admin.list_topics(topic, timeout=10).topics[topic].partitions) == 3
    done(admin.delete_topics([topic]))


@check
def too_large():
    topic = create("too-large", **{"max.message.bytes": "10000"})
    errors = []
    p = Producer(broker | {"message.max.bytes": 1_000_000})
    p.produce(topic, b"x" * 20_000, on_delivery=lambda e, m: errors.append(e and e.name()))
    p.flush(PATIENCE)
    assert errors == ["MSG_SIZE_TOO_LARGE"], errors


for f in failed:
    print("FAILED", f)
print(f"{passed} passed, {len(failed)} failed")
sys.exit(1 if failed else 0)
