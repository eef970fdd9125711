// Package transform is Kafka Connect's single message transforms: what a connector's keys "transforms" and "predicates" say is
// done to each of its records before it goes to a topic. It knows records as JSON, no topic and no source.
package transform

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"tarn/embedded/fault"
	"tarn/embedded/record"
	"tarn/ingest/source"
)

// stepsMax bounds the transforms of a connector.
const stepsMax = 50

// Step is one transform: it changes a record, and tells whether there still is one.
type step interface{ apply(r *source.Record) bool }

// Chain is the transforms of a connector, in their order.
type Chain struct {
	steps []guarded
	text  bool // of value.converter StringConverter
}

// guarded is a step with the predicate that lets a record through to it.
type guarded struct {
	step
	when   predicate // nil for every record
	negate bool
}

// kind is a transform that there is: its keys, and what makes it of them.
type kind struct {
	keys []string
	make func(o options) (step, error)
}

// kinds are the transforms by class.
func kinds() map[string]kind {
	return map[string]kind{
		"org.apache.kafka.connect.transforms.RegexRouter":        {[]string{"regex", "replacement"}, newRegexRouter},
		"org.apache.kafka.connect.transforms.ReplaceField$Key":   {replaceKeys, newReplaceField(true)},
		"org.apache.kafka.connect.transforms.ReplaceField$Value": {replaceKeys, newReplaceField(false)},
		"io.debezium.transforms.ByLogicalTableRouter":            {logicalKeys, newLogicalRouter},
		"io.debezium.transforms.ExtractNewRecordState":           {unwrapKeys, newUnwrap},
		"io.debezium.transforms.outbox.EventRouter":              {outboxKeys, newOutbox},
	}
}

// Classes are the transforms that there are, in order.
func Classes() []string {
	var out []string
	for class := range kinds() {
		out = append(out, class)
	}
	slices.Sort(out)
	return out
}

// options are the keys of one transform, without what stands before them.
type options struct {
	prefix string // "transforms.unwrap."
	keys   map[string]string
}

func (o options) get(key, fallback string) string {
	if v, ok := o.keys[o.prefix+key]; ok {
		return v
	}
	return fallback
}

// list is a key's values, which commas part.
func (o options) list(key string) []string { return split(o.get(key, "")) }

func split(text string) (out []string) {
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

func (o options) bool(key string, fallback bool) (bool, error) {
	text := o.get(key, strconv.FormatBool(fallback))
	b, err := strconv.ParseBool(strings.ToLower(text))
	if err != nil {
		return false, o.wrong(key, "use true or false", "is %q", text)
	}
	return b, nil
}

func (o options) choice(key, fallback string, values ...string) (string, error) {
	text := strings.ToLower(o.get(key, fallback))
	if !slices.Contains(values, text) {
		return "", o.wrong(key, "use "+strings.Join(values, ", "), "is %q", text)
	}
	return text, nil
}

// pattern is a key's regular expression, which a text must match as a whole.
func (o options) pattern(key, fallback string) (*regexp.Regexp, error) {
	text := o.get(key, fallback)
	if text == "" {
		return nil, o.wrong(key, "say what it is", "is missing")
	}
	// Java names a group without P.
	re, err := regexp.Compile(`^(?:` + strings.ReplaceAll(text, "(?<", "(?P<") + `)$`)
	if err != nil {
		return nil, o.wrong(key, "write a regular expression without look-around and back-references", "is no regular expression: %v", err)
	}
	return re, nil
}

var javaGroup = regexp.MustCompile(`\\(.)|\$(\d)|\$`)

// replacement is Java's form of a replacement, in Go's.
func replacement(text string) string {
	return javaGroup.ReplaceAllStringFunc(text, func(m string) string {
		switch {
		case m[0] == '\\' && m[1] == '$':
			return "$$"
		case m[0] == '\\':
			return m[1:]
		case len(m) == 2:
			return "${" + m[1:] + "}"
		}
		return m // ${name}
	})
}

func (o options) wrong(key, hint, format string, args ...any) error {
	return source.Misset{Key: o.prefix + key, Fault: fault.New(fault.Invalid, o.prefix+key+" "+fmt.Sprintf(format, args...), hint)}
}

// New reads the transforms of a connector's keys; nil where there are none. The error names the key.
func New(keys map[string]string) (source.Transform, error) {
	c := &Chain{text: strings.HasSuffix(keys["value.converter"], ".StringConverter")}
	aliases := split(keys["transforms"])
	if len(aliases) > stepsMax {
		return nil, options{keys: keys}.wrong("transforms", "use fewer", "has more than %d", stepsMax)
	}
	for i, alias := range aliases {
		o := options{"transforms." + alias + ".", keys}
		if slices.Contains(aliases[:i], alias) {
			return nil, options{keys: keys}.wrong("transforms", "give each another", "has the alias %s twice", alias)
		}
		k, there := kinds()[o.get("type", "")]
		if !there {
			return nil, o.wrong("type", "Tarn has "+strings.Join(Classes(), ", "), "is %q", o.get("type", ""))
		}
		s, err := k.make(o)
		if err != nil {
			return nil, err
		}
		g := guarded{step: s}
		if g.negate, err = o.bool("negate", false); err != nil {
			return nil, err
		}
		if name := o.get("predicate", ""); name != "" {
			if g.when, err = newPredicate(keys, name); err != nil {
				return nil, err
			}
		}
		c.steps = append(c.steps, g)
	}
	if len(c.steps) == 0 {
		return nil, nil
	}
	return c, nil
}

// Unknown are the keys of transforms and predicates that mean nothing.
func Unknown(keys map[string]string) (out []string) {
	known := map[string]bool{"transforms": true, "predicates": true}
	for _, alias := range split(keys["transforms"]) {
		prefix := "transforms." + alias + "."
		for _, key := range append([]string{"type", "predicate", "negate"}, kinds()[keys[prefix+"type"]].keys...) {
			known[prefix+key] = true
		}
	}
	for _, name := range split(keys["predicates"]) {
		for _, key := range []string{"type", "pattern", "name"} {
			known["predicates."+name+"."+key] = true
		}
	}
	for key := range keys {
		if Is(key) && !known[key] {
			out = append(out, key)
		}
	}
	slices.Sort(out)
	return out
}

// Is tells whether a key is of transforms or predicates.
func Is(key string) bool {
	return key == "transforms" || key == "predicates" || strings.HasPrefix(key, "transforms.") || strings.HasPrefix(key, "predicates.")
}

// Apply takes a record through the chain. It tells whether there still is one.
func (c *Chain) Apply(r *source.Record) bool {
	for _, s := range c.steps {
		if s.when != nil && s.when(r) == s.negate {
			continue
		}
		if !s.apply(r) {
			return false
		}
	}
	if c.text && len(r.Value) > 0 && r.Value[0] == '"' {
		r.Value = []byte(unquoted(r.Value))
	}
	return true
}

// Renames tells whether the chain does nothing but give topics other names, whatever is in a record.
func (c *Chain) Renames() bool {
	return !c.text && !slices.ContainsFunc(c.steps, func(g guarded) bool {
		_, names := g.step.(*regexRouter)
		return !names || g.when != nil
	})
}

// predicate is a condition of a step.
type predicate func(r *source.Record) bool

func newPredicate(keys map[string]string, name string) (predicate, error) {
	o := options{"predicates." + name + ".", keys}
	if !slices.Contains(split(keys["predicates"]), name) {
		return nil, options{keys: keys}.wrong("predicates", "name it there", "has no %s", name)
	}
	const in = "org.apache.kafka.connect.transforms.predicates."
	switch class := o.get("type", ""); class {
	case in + "TopicNameMatches":
		re, err := o.pattern("pattern", "")
		return func(r *source.Record) bool { return re.MatchString(r.Topic) }, err
	case in + "RecordIsTombstone":
		return func(r *source.Record) bool { return r.Value == nil }, nil
	case in + "HasHeaderKey":
		want := o.get("name", "")
		return func(r *source.Record) bool {
			return slices.ContainsFunc(r.Headers, func(h record.Header) bool { return h.Key == want })
		}, nil
	default:
		return nil, o.wrong("type", "Tarn has TopicNameMatches, RecordIsTombstone and HasHeaderKey of "+strings.TrimSuffix(in, "."), "is %q", class)
	}
}
