package kafka

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tarn/embedded/bus"
	"tarn/embedded/fault"
	"tarn/embedded/guard"
	"tarn/embedded/record"
)

// brokerSettings are what clients and tools look for of a broker. None can be altered here: tarn.yaml has Tarn's own.
var brokerSettings = []struct {
	name, value string
	kind        kmsg.ConfigType
}{
	{"auto.create.topics.enable", "true", kmsg.ConfigTypeBoolean},
	{"broker.id", strconv.Itoa(nodeID), kmsg.ConfigTypeInt},
	{"compression.type", "producer", kmsg.ConfigTypeString},
	{"default.replication.factor", "1", kmsg.ConfigTypeInt},
	{"delete.topic.enable", "true", kmsg.ConfigTypeBoolean},
	{"log.cleanup.policy", "delete", kmsg.ConfigTypeList},
	{"log.retention.bytes", "-1", kmsg.ConfigTypeLong},
	{"log.retention.ms", "604800000", kmsg.ConfigTypeLong},
	{"message.max.bytes", "1048588", kmsg.ConfigTypeInt},
	{"min.insync.replicas", "1", kmsg.ConfigTypeInt},
	{"node.id", strconv.Itoa(nodeID), kmsg.ConfigTypeInt},
	{"num.partitions", "1", kmsg.ConfigTypeInt},
	{"unclean.leader.election.enable", "false", kmsg.ConfigTypeBoolean},
}

func describeConfigs(ctx context.Context, c *conn, req *kmsg.DescribeConfigsRequest) (kmsg.Response, error) {
	resp := kmsg.NewPtrDescribeConfigsResponse()
	resp.Version = req.Version
	type resource struct {
		kind kmsg.ConfigResourceType
		name string
	}
	for _, one := range once(req.Resources, func(r *kmsg.DescribeConfigsRequestResource) resource { return resource{r.ResourceType, r.ResourceName} }) {
		out := kmsg.NewDescribeConfigsResponseResource()
		out.ResourceType, out.ResourceName = one.ResourceType, one.ResourceName
		asked := func(name string) bool { return one.ConfigNames == nil || slices.Contains(one.ConfigNames, name) }
		switch one.ResourceType {
		case kmsg.ConfigResourceTypeTopic:
			t, err := c.door.o.Bus.Topic(one.ResourceName)
			switch {
			case !c.describes(one.ResourceName, t):
				out.ErrorCode = kerr.TopicAuthorizationFailed.Code
			case err != nil:
				out.ErrorCode = kerr.UnknownTopicOrPartition.Code
			default:
				out.Configs = describeTopic(t.Config(), asked, req)
			}
		case kmsg.ConfigResourceTypeBroker:
			if one.ResourceName == "" {
				break // the defaults of all brokers: nobody has altered one
			}
			if one.ResourceName != strconv.Itoa(nodeID) {
				out.ErrorCode, out.ErrorMessage = kerr.InvalidRequest.Code, new("there is one broker, "+strconv.Itoa(nodeID))
				break
			}
			out.Configs = describeBroker(asked)
		default:
			out.ErrorCode, out.ErrorMessage = kerr.InvalidRequest.Code, new("settings are of topics and of the broker")
		}
		if full := c.takes(ctx, configBytes(out.Configs)); full != nil {
			out.ErrorCode, out.ErrorMessage, out.Configs = full.code, &full.text, nil
		}
		resp.Resources = append(resp.Resources, out)
	}
	return resp, nil
}

func configBytes(of []kmsg.DescribeConfigsResponseResourceConfig) int {
	size := elementBytes
	for _, one := range of {
		size += elementBytes + len(one.Name) + len(text(one.Value)) + len(text(one.Documentation))
		for _, s := range one.ConfigSynonyms {
			size += elementBytes + len(s.Name) + len(text(s.Value))
		}
	}
	return size
}

func describeTopic(c bus.TopicConfig, asked func(string) bool, req *kmsg.DescribeConfigsRequest) (out []kmsg.DescribeConfigsResponseResourceConfig) {
	for _, s := range bus.Settings() {
		if !asked(s.Name) {
			continue
		}
		value, set := s.Value(c)
		one := kmsg.NewDescribeConfigsResponseResourceConfig()
		one.Name, one.Value, one.ConfigType = s.Name, &value, kmsg.ConfigType(s.Type)
		if one.Source = kmsg.ConfigSourceDefaultConfig; set {
			one.Source = kmsg.ConfigSourceDynamicTopicConfig
		}
		one.IsDefault = !set
		if req.IncludeDocumentation {
			one.Documentation = new(s.Doc)
		}
		if req.IncludeSynonyms {
			synonym := func(value string, source kmsg.ConfigSource) {
				a := kmsg.NewDescribeConfigsResponseResourceConfigConfigSynonym()
				a.Name, a.Value, a.Source = s.Name, &value, source
				one.ConfigSynonyms = append(one.ConfigSynonyms, a)
			}
			if set {
				synonym(value, kmsg.ConfigSourceDynamicTopicConfig)
			}
			synonym(s.Default(c), kmsg.ConfigSourceDefaultConfig)
		}
		out = append(out, one)
	}
	return out
}

func describeBroker(asked func(string) bool) (out []kmsg.DescribeConfigsResponseResourceConfig) {
	for _, s := range brokerSettings {
		if !asked(s.name) {
			continue
		}
		one := kmsg.NewDescribeConfigsResponseResourceConfig()
		one.Name, one.Value, one.ConfigType = s.name, new(s.value), s.kind
		one.Source, one.IsDefault, one.ReadOnly = kmsg.ConfigSourceDefaultConfig, true, true
		out = append(out, one)
	}
	return out
}

// alteration is what becomes of one topic's settings.
type alteration func(bus.TopicConfig) (bus.TopicConfig, error)

// alter makes an alteration, or with dry only tells whether it could be made. The message is for a person.
func (c *conn) alter(ctx context.Context, kind kmsg.ConfigResourceType, name string, dry bool, change alteration) (code int16, message *string) {
	failed := func(e *kerr.Error, text string) (int16, *string) { return e.Code, &text }
	if kind != kmsg.ConfigResourceTypeTopic {
		return failed(kerr.InvalidRequest, "settings of topics alone can be altered here; Tarn's own are in tarn.yaml")
	}
	t, err := c.door.o.Bus.Alterable(name)
	switch {
	case !c.may(guard.Alter, name, t):
		return kerr.TopicAuthorizationFailed.Code, nil
	case fault.CodeOf(err) == fault.Denied:
		return failed(kerr.PolicyViolation, err.Error())
	case err != nil:
		return kept(err).Code, nil
	}
	if _, err = change(t.Config()); err == nil && !dry {
		err = c.door.o.Bus.ChangeTopic(ctx, name, change)
	}
	switch code := fault.CodeOf(err); {
	case err == nil:
		return 0, nil
	case code == fault.Invalid || code == fault.NotFound:
		return failed(kerr.InvalidConfig, err.Error())
	}
	c.log.Warn("topic is not altered", "topic", name, "error", err)
	return errorOf(err).Code, nil
}

// repeated are the names that come more than once, as Kafka refuses.
func repeated[T any](list []T, name func(*T) string) map[string]bool {
	out, seen := map[string]bool{}, map[string]bool{}
	for i := range list {
		n := name(&list[i])
		out[n] = seen[n]
		seen[n] = true
	}
	return out
}

func alterConfigs(ctx context.Context, c *conn, req *kmsg.AlterConfigsRequest) (kmsg.Response, error) {
	resp := kmsg.NewPtrAlterConfigsResponse()
	resp.Version = req.Version
	twice := repeated(req.Resources, func(r *kmsg.AlterConfigsRequestResource) string { return r.ResourceName })
	for _, one := range req.Resources {
		out := kmsg.NewAlterConfigsResponseResource()
		out.ResourceType, out.ResourceName = one.ResourceType, one.ResourceName
		if twice[one.ResourceName] {
			out.ErrorCode = kerr.InvalidRequest.Code
		} else {
			out.ErrorCode, out.ErrorMessage = c.alter(ctx, one.ResourceType, one.ResourceName, req.ValidateOnly, func(config bus.TopicConfig) (bus.TopicConfig, error) {
				return replaced(config, one.Configs)
			})
		}
		resp.Resources = append(resp.Resources, out)
	}
	return resp, nil
}

// replaced sets what is named, and all of Kafka's settings else back to their defaults. Those of Tarn stay: a tool
// that does not know them must not end a topic's landing.
func replaced(c bus.TopicConfig, list []kmsg.AlterConfigsRequestResourceConfig) (bus.TopicConfig, error) {
	var err error
	for _, s := range bus.Settings() {
		if !strings.HasPrefix(s.Name, record.OwnPrefix) {
			if c, err = c.Without(s.Name); err != nil {
				return c, err
			}
		}
	}
	for _, one := range list {
		if one.Value == nil {
			return c, fault.Newf(fault.Invalid, "leave it out for its default", "setting %s has no value", one.Name)
		}
		if c, err = c.With(one.Name, *one.Value); err != nil {
			return c, err
		}
	}
	return c, nil
}

func incrementalAlterConfigs(ctx context.Context, c *conn, req *kmsg.IncrementalAlterConfigsRequest) (kmsg.Response, error) {
	resp := kmsg.NewPtrIncrementalAlterConfigsResponse()
	resp.Version = req.Version
	twice := repeated(req.Resources, func(r *kmsg.IncrementalAlterConfigsRequestResource) string { return r.ResourceName })
	for _, one := range req.Resources {
		out := kmsg.NewIncrementalAlterConfigsResponseResource()
		out.ResourceType, out.ResourceName = one.ResourceType, one.ResourceName
		names := repeated(one.Configs, func(c *kmsg.IncrementalAlterConfigsRequestResourceConfig) string { return c.Name })
		switch again := slices.ContainsFunc(one.Configs, func(c kmsg.IncrementalAlterConfigsRequestResourceConfig) bool { return names[c.Name] }); {
		case twice[one.ResourceName], again:
			out.ErrorCode, out.ErrorMessage = kerr.InvalidRequest.Code, new("a resource or a setting is named twice")
		default:
			out.ErrorCode, out.ErrorMessage = c.alter(ctx, one.ResourceType, one.ResourceName, req.ValidateOnly, func(config bus.TopicConfig) (bus.TopicConfig, error) {
				return altered(config, one.Configs)
			})
		}
		resp.Resources = append(resp.Resources, out)
	}
	return resp, nil
}

func altered(c bus.TopicConfig, list []kmsg.IncrementalAlterConfigsRequestResourceConfig) (bus.TopicConfig, error) {
	for _, one := range list {
		s, err := bus.SettingNamed(one.Name)
		if err != nil {
			return c, err
		}
		if one.Op == kmsg.IncrementalAlterConfigOpDelete {
			if c, err = c.Without(one.Name); err != nil {
				return c, err
			}
			continue
		}
		if one.Value == nil {
			return c, fault.Newf(fault.Invalid, "delete it for its default", "setting %s has no value", one.Name)
		}
		value := *one.Value
		if one.Op != kmsg.IncrementalAlterConfigOpSet {
			if value, err = changedList(s, c, one.Op, value); err != nil {
				return c, err
			}
		}
		if c, err = c.With(one.Name, value); err != nil {
			return c, err
		}
	}
	return c, nil
}

// changedList appends to a setting that is a list, or takes out of it.
func changedList(s bus.Setting, c bus.TopicConfig, op kmsg.IncrementalAlterConfigOp, value string) (string, error) {
	if s.Type != bus.ListSetting {
		return "", fault.Newf(fault.Invalid, "set it", "setting %s is no list, to append to or to subtract from", s.Name)
	}
	split := func(text string) (out []string) {
		for part := range strings.SplitSeq(text, ",") {
			if part = strings.TrimSpace(part); part != "" {
				out = append(out, part)
			}
		}
		return out
	}
	old, _ := s.Value(c)
	have, want := split(old), split(value)
	switch op {
	case kmsg.IncrementalAlterConfigOpAppend:
		for _, v := range want {
			if !slices.Contains(have, v) {
				have = append(have, v)
			}
		}
	case kmsg.IncrementalAlterConfigOpSubtract:
		have = slices.DeleteFunc(have, func(v string) bool { return slices.Contains(want, v) })
	default:
		return "", fault.Newf(fault.Invalid, "set, delete, append or subtract", "operation %d on setting %s", op, s.Name)
	}
	return strings.Join(have, ","), nil
}
