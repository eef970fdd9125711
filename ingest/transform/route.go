package transform

import (
	"regexp"
	"slices"
	"strings"

	"tarn/ingest/source"
)

// regexRouter is Kafka's RegexRouter: a topic whose whole name matches gets another.
type regexRouter struct {
	regex *regexp.Regexp
	to    string
}

func newRegexRouter(o options) (step, error) {
	re, err := o.pattern("regex", "")
	if err != nil {
		return nil, err
	}
	if _, there := o.keys[o.prefix+"replacement"]; !there {
		return nil, o.wrong("replacement", "say what the topics are to be called", "is missing")
	}
	return &regexRouter{re, replacement(o.get("replacement", ""))}, nil
}

func (t *regexRouter) apply(r *source.Record) bool {
	r.Topic = renamed(t.regex, t.to, r.Topic)
	return true
}

// renamed is a name with the replacement in its place if it matches.
func renamed(re *regexp.Regexp, to, name string) string {
	m := re.FindStringSubmatchIndex(name)
	if m == nil {
		return name
	}
	return string(re.ExpandString(nil, to, name, m))
}

var logicalKeys = []string{
	"topic.regex", "topic.replacement", "key.enforce.uniqueness", "key.field.name", "key.field.regex", "key.field.replacement", "schema.name.adjustment.mode", "logical.table.cache.size",
}

// logicalRouter is Debezium's ByLogicalTableRouter: tables that are pieces of one go to one topic, with a key that says which
// piece a row is of.
type logicalRouter struct {
	regexRouter
	field    string // "" for keys as they are
	keyRegex *regexp.Regexp
	keyTo    string
}

func newLogicalRouter(o options) (step, error) {
	re, err := o.pattern("topic.regex", "")
	if err != nil {
		return nil, err
	}
	to := o.get("topic.replacement", "")
	if to == "" {
		return nil, o.wrong("topic.replacement", "say what the topics are to be called", "is missing")
	}
	t := &logicalRouter{regexRouter: regexRouter{re, replacement(to)}}
	unique, err := o.bool("key.enforce.uniqueness", true)
	if err != nil || !unique {
		return t, err
	}
	t.field = o.get("key.field.name", "__dbz__physicalTableIdentifier")
	if o.get("key.field.regex", "") != "" {
		t.keyTo = replacement(o.get("key.field.replacement", ""))
		t.keyRegex, err = o.pattern("key.field.regex", "")
	}
	return t, err
}

func (t *logicalRouter) apply(r *source.Record) bool {
	from := r.Topic
	if t.regex.MatchString(from) {
		t.regexRouter.apply(r)
		if key, ok := parse(r.Key); ok && t.field != "" {
			if t.keyRegex != nil {
				from = renamed(t.keyRegex, t.keyTo, from)
			}
			r.Key = append(key, member{t.field, quoted(from)}).bytes()
		}
	}
	return true
}

var replaceKeys = []string{"include", "exclude", "renames", "whitelist", "blacklist", "replace.null.with.default"}

// replaceField is Kafka's ReplaceField: members are left out or get another name.
type replaceField struct {
	key              bool
	include, exclude []string
	names            map[string]string
}

func newReplaceField(key bool) func(o options) (step, error) {
	return func(o options) (step, error) {
		t := &replaceField{key: key, names: map[string]string{}}
		t.include = append(o.list("include"), o.list("whitelist")...)
		t.exclude = append(o.list("exclude"), o.list("blacklist")...)
		for _, pair := range o.list("renames") {
			from, to, both := strings.Cut(pair, ":")
			if !both || from == "" || to == "" {
				return nil, o.wrong("renames", "write old:new, separated by commas", "has %q", pair)
			}
			t.names[from] = to
		}
		return t, nil
	}
}

func (t *replaceField) apply(r *source.Record) bool {
	at := &r.Value
	if t.key {
		at = &r.Key
	}
	o, ok := parse(*at)
	if !ok {
		return true
	}
	var out object
	for _, m := range o {
		if slices.Contains(t.exclude, m.name) || len(t.include) > 0 && !slices.Contains(t.include, m.name) {
			continue
		}
		if to, there := t.names[m.name]; there {
			m.name = to
		}
		out = append(out, m)
	}
	*at = out.bytes()
	return true
}
