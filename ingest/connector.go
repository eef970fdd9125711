package ingest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"tarn/embedded/fault"
	"tarn/ingest/source"
	"tarn/ingest/transform"
)

// connectorBytesMax bounds one connector file.
const connectorBytesMax = 1 << 20

// connector is one file of the project's connectors folder, understood.
type connector struct {
	file     string
	kind     source.Kind
	config   source.Config
	findings []source.Finding
	kinds    []source.Kind // among which it is one

	transform source.Transform // nil for none
}

// connectKeys are keys of Kafka Connect itself that any connector may carry. Tarn has one
// task and one converter for each source; more is passed over and said.
var connectKeys = []string{"connector.class", "name", "tasks.max", source.KeySchemas, source.ValueSchemas}

// jsonConverter is the one converter that there is.
const jsonConverter = "org.apache.kafka.connect.json.JsonConverter"

// readConnector reads one file. Relative paths in it start at the project folder.
func readConnector(path, project string, kinds []source.Kind) (connector, error) {
	c := connector{file: filepath.Base(path), kinds: kinds}
	f, err := os.Open(path)
	if err != nil {
		return c, fault.Wrap(err, fault.Invalid, "read connector file "+c.file, "check the rights on the file")
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, connectorBytesMax+1))
	if err != nil {
		return c, fault.Wrap(err, fault.Unavailable, "read connector file "+c.file, "check the disk and the rights on the file")
	}
	if len(text) > connectorBytesMax {
		return c, fault.Newf(fault.TooLarge, "a connector's file holds its settings alone", "connector file %s is larger than %d bytes", c.file, connectorBytesMax)
	}
	return c, c.parse(text, project)
}

// document is Kafka Connect's form of a connector. Config's values are texts; numbers and
// booleans are taken as the text they are.
type document struct {
	Name   string         `json:"name"`
	Config map[string]any `json:"config"`
}

func (c *connector) parse(text []byte, project string) error {
	const hint = `write {"name": "…", "config": {"connector.class": "…", …}}, as for Kafka Connect`
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	d.UseNumber()
	var doc document
	if err := d.Decode(&doc); err != nil {
		return fault.Wrap(explain(err, text), fault.Invalid, "read connector file "+c.file, hint)
	}
	if d.More() {
		return fault.New(fault.Invalid, "read connector file "+c.file+": more than one document", hint)
	}
	if doc.Name == "" || strings.ContainsAny(doc.Name, "/\n") {
		return fault.Newf(fault.Invalid, hint, "connector file %s: the name is %q", c.file, doc.Name)
	}
	c.config = source.Config{Name: doc.Name, Keys: map[string]string{}, Folder: project}
	for key, v := range doc.Config {
		switch v := v.(type) {
		case string:
			c.config.Keys[key] = v
		case json.Number, bool:
			c.config.Keys[key] = fmt.Sprint(v)
		default:
			return fault.Newf(fault.Invalid, "write it as a text", "connector file %s: the value of %s is neither text nor number", c.file, key)
		}
	}
	return c.settle()
}

// settle finds the connector's kind and judges its keys.
func (c *connector) settle() error {
	class := c.config.Keys["connector.class"]
	var classes []string
	for _, k := range c.kinds {
		classes = append(classes, k.Class)
		if k.Called(class) {
			c.kind = k
		}
	}
	if c.kind.Class == "" {
		return fault.Newf(fault.Invalid, "did you mean "+fault.Nearest(class, classes, fault.Anything)+"?", "connector file %s: connector.class is %q, which Tarn does not have", c.file, class)
	}
	c.findings = unknownKeys(c.kind, c.config)
	var err error
	if c.transform, err = transform.New(c.config.Keys); err != nil {
		return fmt.Errorf("connector file %s: %w", c.file, err)
	}
	return nil
}

// converts tells whether a converter's key is taken.
func converts(c source.Config, key string) bool {
	_, rest, _ := strings.Cut(key, ".")
	changes := c.Keys["transforms"] != ""
	switch value := c.Keys[key]; rest {
	case "converter":
		return value == jsonConverter || key == "value.converter" && changes && strings.HasSuffix(value, ".StringConverter")
	case "converter.schemas.enable":
		return strings.EqualFold(value, "false") || strings.EqualFold(value, "true") && !changes
	}
	return false
}

// unknownKeys says which keys have no effect and what is done instead, and which mean nothing, each with the nearest that does.
func unknownKeys(k source.Kind, config source.Config) []source.Finding {
	known := slices.Clone(connectKeys)
	for _, f := range k.Fields {
		known = append(known, f.Key)
	}
	others := slices.Concat(k.Others, connectOthers)
	var out []source.Finding
	for key, value := range config.Keys {
		at := slices.IndexFunc(others, func(o source.Other) bool { return o.Means(key) })
		switch {
		case strings.HasPrefix(key, "key.converter"), strings.HasPrefix(key, "value.converter"):
			if !converts(config, key) {
				out = append(out, source.Finding{Key: key, Unknown: true, Message: fmt.Sprintf("%s %s has no effect: records are JSON, and transformed ones have no schema", key, value), Hint: "take it out"})
			}
		case slices.Contains(known, key), has(k.Fields, key), transform.Is(key):
		case at >= 0:
			out = append(out, source.Finding{Key: key, Message: fmt.Sprintf("key %s has no effect: %s", key, others[at].Instead)})
		default:
			out = append(out, source.Finding{Key: key, Unknown: true, Message: fmt.Sprintf("unknown key %s", key), Hint: "did you mean " + fault.Nearest(key, known, fault.Anything) + "?"})
		}
	}
	for _, key := range transform.Unknown(config.Keys) {
		out = append(out, source.Finding{Key: key, Unknown: true, Message: fmt.Sprintf("unknown key %s", key), Hint: "docs/compat/connect.md lists what each transform takes"})
	}
	slices.SortFunc(out, func(a, b source.Finding) int { return strings.Compare(a.Message, b.Message) })
	return out
}

// has tells whether a key is one of the fields, of which one that ends in a dot stands for all keys that begin with it.
func has(fields []source.Field, key string) bool {
	return slices.ContainsFunc(fields, func(f source.Field) bool { return source.Other{Key: f.Key}.Means(key) })
}

// explain adds the line to an error of JSON.
func explain(err error, text []byte) error {
	var offset int64
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		offset = e.Offset
	} else if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		offset = e.Offset
	}
	if offset <= 0 || offset > int64(len(text)) {
		return err
	}
	return fmt.Errorf("line %d: %w", 1+bytes.Count(text[:offset-1], []byte("\n")), err)
}
