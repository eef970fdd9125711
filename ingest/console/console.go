// Package console is `tarn topics produce` and `tarn topics consume`: lines of a terminal or a file become records of a running Tarn's
// topics, and records lines. It goes through the Kafka door, as any client of Kafka does, and keeps nothing.
package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tarn/embedded/bus"
	"tarn/embedded/config"
	"tarn/embedded/door"
	"tarn/embedded/fault"
)

// The bounds of a client.
const (
	askMax    = 10 * time.Second // for the address of the Kafka door
	answerMax = 1 << 20          // bytes of it
	retryMax  = 30 * time.Second // that a request to a Tarn which does not answer is tried again
)

// kafka is the name of the door, as in ports.json.
const kafka = "kafka"

// Address is how a Tarn is found. The tags are kong's.
type Address struct {
	URL string `help:"Address of the Tarn, such as http://127.0.0.1:7700; found by the data folder otherwise." placeholder:"URL"`
}

// broker is the address of the Kafka door.
func (a Address) broker(ctx context.Context, f *config.Flags) (string, error) {
	ports := map[string]string{}
	if a.URL == "" {
		c, err := f.Read()
		if err != nil {
			return "", err
		}
		if ports, err = door.Find(c.Data); err != nil {
			return "", err
		}
	} else if err := a.doors(ctx, ports); err != nil {
		return "", err
	}
	if ports[kafka] == "" {
		return "", fault.New(fault.Unavailable, "this Tarn has no Kafka door open", "see `tarn config` for kafka.listen")
	}
	return ports[kafka], nil
}

// doors asks a Tarn where its doors are.
func (a Address) doors(ctx context.Context, ports map[string]string) error {
	ctx, cancel := context.WithTimeout(ctx, askMax)
	defer cancel()
	url := strings.TrimSuffix(a.URL, "/") + "/api/status"
	unreached := func(err error) error {
		return fault.Wrap(err, fault.Unavailable, "ask "+url+" for the Kafka door", "is it the address of a Tarn that runs? start one with `tarn up`")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return unreached(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return unreached(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var state struct {
		Doors []struct{ Name, Address string }
	}
	if err := json.NewDecoder(http.MaxBytesReader(nil, resp.Body, answerMax)).Decode(&state); err != nil || resp.StatusCode != http.StatusOK {
		return unreached(errors.Join(errors.New(resp.Status), err))
	}
	for _, d := range state.Doors {
		ports[d.Name] = d.Address
	}
	return nil
}

// topic is one on a Tarn, with a client of its Kafka door.
type topic struct {
	client     *kgo.Client
	name       string
	id         [16]byte
	partitions []int32
}

// open finds a topic, which is not made by that. The caller closes its client.
func (a Address) open(ctx context.Context, f *config.Flags, name string, opts ...kgo.Opt) (*topic, error) {
	broker, err := a.broker(ctx, f)
	if err != nil {
		return nil, err
	}
	client, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(broker), kgo.ClientID("tarn-topics"), kgo.RetryTimeout(retryMax)}, opts...)...)
	if err != nil {
		return nil, fmt.Errorf("open the Kafka door at %s: %w", broker, err)
	}
	t := &topic{client: client, name: name}
	if err := t.find(ctx); err != nil {
		client.Close()
		return nil, err
	}
	return t, nil
}

func (t *topic) find(ctx context.Context) error {
	req := kmsg.NewPtrMetadataRequest()
	one := kmsg.NewMetadataRequestTopic()
	one.Topic = &t.name
	req.Topics = append(req.Topics, one)
	resp, err := req.RequestWith(ctx, t.client)
	if err != nil {
		return t.fault(err, "ask for topic "+t.name)
	}
	if len(resp.Topics) != 1 {
		return t.fault(kerr.UnknownTopicOrPartition, "")
	}
	got := resp.Topics[0]
	if err := kerr.ErrorForCode(got.ErrorCode); err != nil {
		return t.fault(err, "ask for topic "+t.name)
	}
	t.id = got.TopicID
	for _, p := range got.Partitions {
		t.partitions = append(t.partitions, p.Partition)
	}
	return nil
}

// choose keeps one partition; -1 is all.
func (t *topic) choose(partition int32) error {
	if partition < 0 {
		return nil
	}
	for _, p := range t.partitions {
		if p == partition {
			t.partitions = []int32{p}
			return nil
		}
	}
	return fault.Newf(fault.NotFound, "leave --partition out for all", "topic %s has no partition %d, only 0 to %d", t.name, partition, len(t.partitions)-1)
}

// setting is the value of a topic's setting.
func (t *topic) setting(ctx context.Context, name string) (string, error) {
	req := kmsg.NewPtrDescribeConfigsRequest()
	one := kmsg.NewDescribeConfigsRequestResource()
	one.ResourceType, one.ResourceName, one.ConfigNames = kmsg.ConfigResourceTypeTopic, t.name, []string{name}
	req.Resources = append(req.Resources, one)
	resp, err := req.RequestWith(ctx, t.client)
	if err == nil && len(resp.Resources) == 1 {
		if err = kerr.ErrorForCode(resp.Resources[0].ErrorCode); err == nil && len(resp.Resources[0].Configs) == 1 && resp.Resources[0].Configs[0].Value != nil {
			return *resp.Resources[0].Configs[0].Value, nil
		}
	}
	if err == nil {
		err = errors.New("there is no answer")
	}
	return "", t.fault(err, "ask for "+name+" of topic "+t.name)
}

// fault says what the door refused in words for a person.
func (t *topic) fault(err error, what string) error {
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, kerr.UnknownTopicOrPartition), errors.Is(err, kerr.UnknownTopicID):
		return fault.Newf(fault.NotFound, "`tarn topics` lists them; `tarn topics create "+t.name+"` makes it", "there is no topic %s", t.name)
	case errors.Is(err, kerr.InvalidTopicException):
		if bus.Own(t.name) {
			return fault.Newf(fault.Denied, "write to another topic", "topic %s is Tarn's own", t.name)
		}
		return fault.Wrap(bus.CheckName(t.name), fault.Invalid, what, "use 1 to 249 letters, digits, dots, underscores and dashes")
	case errors.Is(err, kerr.PolicyViolation):
		return fault.Newf(fault.Conflict, "write to another topic", "topic %s is filled by a source", t.name)
	case errors.Is(err, kerr.MessageTooLarge):
		return fault.Wrap(err, fault.TooLarge, what, "raise the bound: tarn topics alter "+t.name+" --config "+bus.SettingMessageBytes+"=…")
	case errors.Is(err, kerr.InvalidRecord):
		return fault.Wrap(err, fault.Invalid, what, "records of a compacted topic have keys: say --key-separator")
	case errors.Is(err, kerr.TopicAuthorizationFailed):
		return fault.Wrap(err, fault.Denied, what, "ask for a grant")
	}
	return fault.Wrap(err, fault.Unavailable, what, "is Tarn running, and its disk in order? see /health")
}
