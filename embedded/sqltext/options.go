package sqltext

import (
	"maps"
	"slices"
	"strings"
	"time"

	"tarn/embedded/fault"
)

// Option is a setting of WITH (…), with the place of its value.
type Option struct {
	Value  string
	Offset int
}

// option is what is known of one.
type option struct {
	name   string            // Tarn's, where it has another
	values map[string]string // the words it may be, as Tarn's; nil for any
	span   bool              // a time: 10s, 1 minute, 7d
	off    bool              // or off
	hint   string
	none   bool // changes nothing here
}

var formats = map[string]string{"json": "json", "debezium-json": "debezium-json"}

// streamOptions are those of a source, by name in lower case.
var streamOptions = map[string]option{
	"connector":    {values: map[string]string{"kafka": "kafka"}, hint: "write connector = 'kafka': a source is a topic of Tarn's own log"},
	"topic":        {},
	"format":       {values: formats},
	"value.format": {name: "format", values: formats},
	"scan.startup.mode": {
		values: map[string]string{"earliest": "earliest", "earliest-offset": "earliest", "latest": "latest", "latest-offset": "latest", "log": "log"},
		hint:   "write 'earliest' or 'latest', or 'log' to leave out what the log no longer has",
	},
	"idle_timeout":                {span: true, off: true},
	"scan.watermark.idle-timeout": {name: "idle_timeout", span: true},
	"flush_timeout":               {span: true, off: true},
	"on_error":                    {values: onError},
	"late_policy":                 {values: latePolicy},

	"json.ignore-parse-errors":                {values: truth},
	"debezium-json.ignore-parse-errors":       {values: truth},
	"value.json.ignore-parse-errors":          {values: truth},
	"json.fail-on-missing-field":              {values: falsehood, none: true, hint: "leave it out: a member that is missing is null"},
	"value.json.fail-on-missing-field":        {values: falsehood, none: true, hint: "leave it out: a member that is missing is null"},
	"debezium-json.schema-include":            {values: truth, none: true}, // both are read
	"scan.topic-partition-discovery.interval": {none: true},
}

// pipelineOptions are those of a pipeline.
var pipelineOptions = map[string]option{
	"on_error":    {values: onError},
	"late_policy": {values: latePolicy},
	"retention":   {span: true},
}

var (
	onError    = words("dead_letter", "skip", "stop")
	latePolicy = words("partition", "global")
	truth      = words("true", "false")
	falsehood  = words("false")
)

func words(all ...string) map[string]string {
	out := map[string]string{}
	for _, w := range all {
		out[w] = w
	}
	return out
}

// ignoredFamilies begin the names of options that speak of a Kafka client or of how JSON is
// written, and change nothing here.
var ignoredFamilies = []string{"properties.", "json.", "value.json.", "debezium-json."}

// optionReader reads WITH (…).
type optionReader struct {
	*Reader
	what    string
	known   map[string]option
	ignored []string // beginnings of names
	out     map[string]Option
}

func (r *optionReader) read() error {
	if !r.Take("(") {
		return r.Fault("options in parentheses")
	}
	for {
		if err := r.option(); err != nil {
			return err
		}
		if r.Take(")") {
			return nil
		}
		if !r.Take(",") {
			return r.Fault("a comma or )")
		}
	}
}

// option reads name = value.
func (r *optionReader) option() error {
	at := r.Offset()
	name, err := r.optionName()
	if err != nil {
		return err
	}
	if !r.Take("=") {
		return r.Fault("= and a value")
	}
	value := r.Peek()
	if value.Kind != String && value.Kind != Word && value.Kind != Number {
		return r.Fault("a text such as 'value'")
	}
	o, known := r.known[name]
	if !known {
		if slices.ContainsFunc(r.ignored, func(f string) bool { return strings.HasPrefix(name, f) }) {
			r.Next()
			return nil
		}
		hint := "known are " + strings.Join(r.shown(), ", ")
		if near := Nearest(name, slices.Collect(maps.Keys(r.known))); near != "" {
			hint = "did you mean " + near + "?"
		}
		return At(fault.Newf(fault.Invalid, hint, "%s has no option %s", r.what, name), r.text, at)
	}
	text, err := r.value(name, o, value)
	if err != nil {
		return err
	}
	r.Next()
	if o.name != "" {
		name = o.name
	}
	if strings.HasSuffix(name, ".ignore-parse-errors") {
		if text == "false" {
			return nil
		}
		name, text = "on_error", "skip"
	}
	if o.none {
		return nil
	}
	return r.put(name, Option{text, value.Offset}, at)
}

// put keeps an option. One that is said twice must be said alike.
func (r *optionReader) put(name string, o Option, at int) error {
	if before, twice := r.out[name]; twice && before.Value != o.Value {
		return At(fault.Newf(fault.Invalid, "leave one out", "the option %s is %s and %s", name, before.Value, o.Value), r.text, at)
	}
	r.out[name] = o
	return nil
}

// shown are the options that a hint names.
func (r *optionReader) shown() []string {
	var out []string
	for name, o := range r.known {
		if o.name == "" && !strings.Contains(name, "json.") && !o.none {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// optionName reads 'a.b-c' or a.b-c, in lower case.
func (r *optionReader) optionName() (string, error) {
	if t := r.Peek(); t.Kind == String {
		r.Next()
		return strings.ToLower(t.Value()), nil
	}
	var b strings.Builder
	for {
		t := r.Peek()
		if t.Kind != Word && t.Kind != Quoted {
			return "", r.Fault("the name of an option")
		}
		b.WriteString(strings.ToLower(r.Next().Name()))
		switch {
		case r.Take("."):
			b.WriteByte('.')
		case r.Take("-"):
			b.WriteByte('-')
		default:
			return b.String(), nil
		}
	}
}

// value is an option's value in Tarn's words.
func (r *optionReader) value(name string, o option, t Token) (string, error) {
	text := t.Value()
	switch {
	case o.span:
		if o.off && strings.EqualFold(text, "off") {
			return "off", nil
		}
		d, ok := span(text)
		if !ok {
			hint := "write a time such as '10s', '5 minutes' or '7d'"
			if o.off {
				hint += ", or 'off'"
			}
			return "", r.wrong(hint, "%q is no time for %s", text, name)
		}
		return d.String(), nil
	case o.values != nil:
		if word, ok := o.values[strings.ToLower(text)]; ok {
			return word, nil
		}
		hint := o.hint
		if near := Nearest(text, slices.Sorted(maps.Keys(o.values))); hint == "" && near != "" {
			hint = "did you mean " + near + "?"
		} else if hint == "" {
			hint = "write " + strings.Join(slices.Sorted(maps.Keys(o.values)), " or ")
		}
		return "", r.wrong(hint, "%s cannot be %q", name, text)
	case strings.TrimSpace(text) == "":
		return "", r.wrong("write it", "%s is empty", name)
	}
	return text, nil
}

// span reads a time above 0: 10s, 1h30m, 7d, 5 minutes, 10 s.
func span(text string) (time.Duration, bool) {
	d, ok := age(text)
	if !ok {
		d, ok = ParseInterval(text)
	}
	return d, ok && d > 0 && d <= ageMax
}

// format reads RisingWave's PLAIN ENCODE JSON or DEBEZIUM ENCODE JSON.
func (r *optionReader) format() error {
	at := r.Offset()
	formats := map[string]string{"PLAIN": "json", "DEBEZIUM": "debezium-json"}
	format, ok := formats[strings.ToUpper(r.Peek().Text)]
	if !ok {
		return r.wrong("write FORMAT PLAIN or FORMAT DEBEZIUM", "a source cannot have the format %s", r.Peek().Text)
	}
	r.Next()
	if !r.Take("ENCODE") {
		return r.Fault("ENCODE JSON")
	}
	if !r.Peek().Is("JSON") {
		return r.wrong("write ENCODE JSON", "a source cannot be encoded as %s", r.Peek().Text)
	}
	r.Next()
	if r.Peek().Is("(") {
		return r.wrong("leave them out", "ENCODE JSON takes no options")
	}
	return r.put("format", Option{format, at}, at)
}
