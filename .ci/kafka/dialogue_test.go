//go:build duckdb_arrow

package kafka_test

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// dialogue is one scenario's talk with one broker, in which the requests of one API have one version.
type dialogue struct {
	conn    net.Conn
	api     kmsg.Key
	version int16
	said    []exchange
	names   map[string]string // what a broker makes up (ids, addresses) -> what stands for it
	asked   int32
	run     string // makes topics and groups of this dialogue its own
}

// exchange is a request by its name in the scenario and the answer, with what brokers make up by their own replaced.
type exchange struct {
	Ask    string `json:"ask"`
	Answer any    `json:"answer"`
}

// replyWithin bounds one answer: a broker that hangs is told, not waited for.
const replyWithin = 30 * time.Second

// over ends a dialogue that cannot go on.
type over struct{ error }

// fail ends the dialogue; talk returns why.
func (d *dialogue) fail(format string, args ...any) {
	panic(over{fmt.Errorf("%s v%d: "+format, append([]any{d.api.Name(), d.version}, args...)...)})
}

// send asks and returns the answer as it came.
func (d *dialogue) send(r kmsg.Request) (kmsg.Response, error) {
	d.asked++
	frame := kmsg.NewRequestFormatter(kmsg.FormatterClientID("dialogue")).AppendRequest(nil, r, d.asked)
	if err := d.conn.SetDeadline(time.Now().Add(replyWithin)); err != nil {
		return nil, err
	}
	if _, err := d.conn.Write(frame); err != nil {
		return nil, err
	}
	var size [4]byte
	if _, err := io.ReadFull(d.conn, size[:]); err != nil {
		return nil, err
	}
	body := make([]byte, binary.BigEndian.Uint32(size[:]))
	if _, err := io.ReadFull(d.conn, body); err != nil {
		return nil, err
	}
	if got := int32(binary.BigEndian.Uint32(body)); got != d.asked { //nolint:gosec // a number is read back
		return nil, fmt.Errorf("answer %d to request %d", got, d.asked)
	}
	body = body[4:]
	answer := r.ResponseKind()
	answer.SetVersion(r.GetVersion())
	if answer.IsFlexible() && r.Key() != int16(kmsg.ApiVersions) { // KIP-511: its header has no tags
		body = body[1:]
	}
	return answer, answer.ReadFrom(body)
}

// do asks for what the scenario needs and does not compare, in the newest version of the codec that all brokers have.
func (d *dialogue) do(r kmsg.Request, version int16) kmsg.Response {
	r.SetVersion(version)
	answer, err := d.send(r)
	if err != nil {
		d.fail("%s v%d: %w", kmsg.NameForKey(r.Key()), version, err)
	}
	return answer
}

// ask asks in the dialogue's version and keeps the answer.
func (d *dialogue) ask(name string, r kmsg.Request) kmsg.Response {
	if r.Key() != int16(d.api) {
		d.fail("%s is of another API", name)
	}
	r.SetVersion(d.version)
	answer, err := d.send(r)
	if err != nil {
		d.said = append(d.said, exchange{Ask: name, Answer: "no answer"})
		d.fail("%s: %w", name, err)
	}
	d.said = append(d.said, exchange{Ask: name, Answer: d.plain(answer)})
	return answer
}

// plain is an answer as JSON would have it, without what differs from one broker, or one moment, to the other.
func (d *dialogue) plain(answer kmsg.Response) any {
	text, err := json.Marshal(answer)
	if err != nil {
		d.fail("%w", err)
	}
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		d.fail("%w", err)
	}
	return d.clean("", v)
}

var (
	// made are fields that a broker makes up: each value is replaced by the order in which it came.
	made = regexp.MustCompile(`^(TopicID|ClusterID|MemberID|LeaderID|ProducerID|SessionID|Host)$`)
	// brokers are fields that name one; there is one.
	brokers = regexp.MustCompile(`^(Leader|ControllerID|NodeID|Replicas|ISR|CoordinatorID)$`)
	// passing are fields whose value is of the moment, or of the machine.
	passing = regexp.MustCompile(`^(Version|UnknownTags|ErrorMessage|ThrottleMillis|Port|LogAppendTime|FinalizedFeatures.*|SupportedFeatures|ZkMigrationReady|LogDir|TotalBytes|UsableBytes|Size|StartTimestamp|LastTimestamp|Rack|ClientHost)$`)
)

func (d *dialogue) clean(field string, v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for _, name := range slices.Sorted(maps.Keys(v)) { // in this order ids get their names
			if v[name] != nil && !passing.MatchString(name) {
				out[name] = d.clean(name, v[name])
			}
		}
		return out
	case []any:
		if made.MatchString(field) { // an array of bytes is an id
			return d.name(field, fmt.Sprint(v))
		}
		out := make([]any, len(v))
		for i := range v {
			out[i] = d.clean(field, v[i])
		}
		return out
	case string:
		if made.MatchString(field) && v != "" {
			return d.name(field, v)
		}
		return strings.ReplaceAll(v, d.run, "RUN")
	case float64:
		if brokers.MatchString(field) && v >= 0 {
			return "the broker"
		}
		if made.MatchString(field) && v >= 0 && !(field == "SessionID" && v == 0) {
			return d.name(field, fmt.Sprint(v))
		}
		return v
	default:
		return v
	}
}

// name stands for what a broker made up; nothing stands for itself.
func (d *dialogue) name(field, value string) string {
	if strings.Trim(value, "[]0 ") == "" && field == "TopicID" {
		return "none"
	}
	key := field + "=" + value
	if d.names[key] == "" {
		of := 1
		for k := range d.names {
			if strings.HasPrefix(k, field+"=") {
				of++
			}
		}
		d.names[key] = fmt.Sprintf("%s %d", field, of)
	}
	return d.names[key]
}

// topic makes a topic of this dialogue alone, which keeps its records for ever, and returns its name and id once it
// can be read.
func (d *dialogue) topic(name string, partitions int32, configs ...string) (topic string, id [16]byte) {
	topic = d.run + name
	r := kmsg.NewPtrCreateTopicsRequest()
	r.TimeoutMillis = 10_000
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = topic, partitions, 1
	if !slices.Contains(configs, "retention.ms") {
		configs = append(configs, "retention.ms", "-1")
	}
	for i := 0; i < len(configs); i += 2 {
		c := kmsg.NewCreateTopicsRequestTopicConfig()
		c.Name, c.Value = configs[i], &configs[i+1]
		t.Configs = append(t.Configs, c)
	}
	r.Topics = append(r.Topics, t)
	answer := d.do(r, 7).(*kmsg.CreateTopicsResponse).Topics[0] //nolint:forcetypeassert // the answer to the request
	if answer.ErrorCode != 0 {
		d.fail("create %s: error %d", topic, answer.ErrorCode)
	}
	for n := range partitions {
		for range 1000 {
			r := kmsg.NewPtrListOffsetsRequest()
			r.ReplicaID = -1
			of := kmsg.NewListOffsetsRequestTopic()
			of.Topic = topic
			p := kmsg.NewListOffsetsRequestTopicPartition()
			p.Partition, p.Timestamp = n, -1
			of.Partitions = append(of.Partitions, p)
			r.Topics = append(r.Topics, of)
			if d.do(r, 7).(*kmsg.ListOffsetsResponse).Topics[0].Partitions[0].ErrorCode == 0 { //nolint:forcetypeassert // the answer to the request
				break
			}
		}
	}
	return topic, answer.TopicID
}

// golden is what Kafka said, by dialogue: "scenario/version".
type golden map[string][]exchange

func dialogueOf(s scenario, version int16) string { return s.name + "/" + strconv.Itoa(int(version)) }

// talk leads one scenario in one version. What it said until it could not go on, it said.
func talk(ctx context.Context, address string, s scenario, version int16) (said []exchange, err error) {
	var id [4]byte
	binary.BigEndian.PutUint32(id[:], uint32(time.Now().UnixNano())) //nolint:gosec // any number does
	d := &dialogue{api: s.api, version: version, names: map[string]string{}, run: "d" + hex.EncodeToString(id[:]) + "-"}
	if d.conn, err = (&net.Dialer{}).DialContext(ctx, "tcp", address); err != nil {
		return nil, err
	}
	defer func() { _ = d.conn.Close() }()
	defer func() {
		said = d.said
		if why, ok := recover().(over); ok {
			err = why.error
		}
	}()
	s.lead(d)
	return nil, nil
}

// offered asks for the versions of each API that a broker offers.
func offered(t *testing.T, address string) map[int16][2]int16 {
	t.Helper()
	out := map[int16][2]int16{}
	_, err := talk(t.Context(), address, scenario{api: kmsg.ApiVersions, lead: func(d *dialogue) {
		r := kmsg.NewPtrApiVersionsRequest()
		r.ClientSoftwareName, r.ClientSoftwareVersion = "dialogue", "1"
		for _, k := range d.do(r, 3).(*kmsg.ApiVersionsResponse).ApiKeys { //nolint:forcetypeassert // the answer to the request
			out[k.ApiKey] = [2]int16{k.MinVersion, k.MaxVersion}
		}
	}}, 3)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
