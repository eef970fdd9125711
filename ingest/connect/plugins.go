package connect

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"tarn/ingest/source"
	"tarn/ingest/transform"
)

// report is what is said of a configuration, in the shape of Connect's validation.
type report struct {
	Name       string       `json:"name"`
	ErrorCount int          `json:"error_count"`
	Groups     []string     `json:"groups"`
	Configs    []configInfo `json:"configs"`
	// Warnings are Tarn's own: keys that it does not take, and what else is to know before the start.
	Warnings []string `json:"warnings,omitempty"`
}

type configInfo struct {
	Definition definition  `json:"definition"`
	Value      configValue `json:"value"`
}

type configValue struct {
	Name        string   `json:"name"`
	Value       *string  `json:"value"`
	Recommended []string `json:"recommended_values"`
	Errors      []string `json:"errors"`
	Visible     bool     `json:"visible"`
}

// refusal is the error of a configuration that is not taken; nil where it is.
func (r *report) refusal() error {
	var errs []string
	for _, c := range r.Configs {
		errs = append(errs, c.Value.Errors...)
	}
	if len(errs) == 0 {
		return nil
	}
	return refusal{http.StatusBadRequest, fmt.Sprintf("Connector configuration is invalid and contains the following %d error(s):\n%s\n"+
		"You can also find the above list of errors at the endpoint `/connector-plugins/{connectorType}/config/validate`", len(errs), strings.Join(errs, "\n"))}
}

// judge says what is wrong with a configuration, and what else is to know of it.
func (d *Door) judge(ctx context.Context, name string, config map[string]string) (*report, error) {
	class := config[keyClass]
	if class == "" {
		return nil, refusal{http.StatusBadRequest, fmt.Sprintf("Connector config {name=%s} contains no connector type", name)}
	}
	kind, known := d.kind(class)
	if !known {
		return nil, d.noSuch(class, config)
	}
	r := &report{Name: kind.Class, Groups: []string{}}
	config = withName(config, name)
	for _, def := range slices.Concat(workerDefinitions(d.version(kind.Class)), kindDefinitions(kind)) {
		if !slices.Contains(r.Groups, def.Group) {
			r.Groups = append(r.Groups, def.Group)
		}
		r.Configs = append(r.Configs, configInfo{def, valueOf(kind, def, config)})
	}
	for _, key := range slices.Sorted(maps.Keys(config)) {
		if transform.Is(key) && strings.Contains(key, ".") {
			def := transformDefinition(key)
			r.Configs = append(r.Configs, configInfo{def, valueOf(kind, def, config)})
		}
	}
	if err := d.look(ctx, r, name, config); err != nil {
		return nil, err
	}
	for _, c := range r.Configs {
		if len(c.Value.Errors) > 0 {
			r.ErrorCount++
		}
	}
	return r, nil
}

// look adds what the connector itself finds to a report. A key that has an error already gets no second.
func (d *Door) look(ctx context.Context, r *report, name string, config map[string]string) error {
	_, found, err := d.o.Room.Judge(ctx, name, config)
	if err != nil {
		return err
	}
	for _, f := range found {
		text := f.Message
		if f.Hint != "" {
			text += "; " + f.Hint
		}
		if !f.Fatal {
			r.Warnings = append(r.Warnings, text)
			continue
		}
		r.blame(f.Key, text)
	}
	return nil
}

// blame puts an error to a key, or to the first of those that say which source there is.
func (r *report) blame(key, text string) {
	at := -1
	for _, key := range []string{key, "database.hostname", "database.path", keyClass} {
		if at = slices.IndexFunc(r.Configs, func(c configInfo) bool { return c.Value.Name == key }); at >= 0 {
			break
		}
	}
	if v := &r.Configs[at].Value; len(v.Errors) == 0 {
		v.Errors = append(v.Errors, text)
	}
}

func withName(config map[string]string, name string) map[string]string {
	out := map[string]string{keyName: name}
	maps.Copy(out, config)
	return out
}

// valueOf is the value of a key with what is wrong with it by its definition alone.
func valueOf(kind source.Kind, def definition, config map[string]string) configValue {
	v := configValue{Name: def.Name, Recommended: def.recommended, Errors: []string{}, Visible: def.Name != "schema.exclude.list"}
	text, given := config[def.Name]
	switch {
	case given && def.Type != "PASSWORD":
		v.Value = &text
	case given:
	case !def.theirs:
		v.Value = def.Default
	}
	wrong := func(format string, args ...any) { v.Errors = append(v.Errors, fmt.Sprintf(format, args...)) }
	required := slices.ContainsFunc(kind.Fields, func(f source.Field) bool { return f.Key == def.Name && f.Required })
	switch {
	case required && text == "" && def.theirs:
		wrong("The '%s' value is invalid: A value is required", def.Name)
	case (required || def.Required) && !given:
		wrong("Missing required configuration \"%s\" which has no default value.", def.Name)
	case def.Name == keyName:
		checkName(text, wrong)
	case !given:
	case def.theirs:
		if len(def.recommended) > 0 && !slices.ContainsFunc(def.recommended, func(s string) bool { return strings.EqualFold(s, text) }) {
			wrong("The '%s' value is invalid: Value must be one of %s", def.Name, strings.Join(def.recommended, ", "))
		}
	default:
		checkType(def, text, wrong)
	}
	return v
}

// nameRunesMax bounds a connector's name, as CREATE CONNECTOR does.
const nameRunesMax = 100

func checkName(name string, wrong func(string, ...any)) {
	switch {
	case strings.TrimSpace(name) == "":
		wrong("Invalid value %s for configuration name: String may not be empty", name)
	case strings.ContainsFunc(name, unicode.IsControl):
		wrong("Invalid value %s for configuration name: String may not contain control sequences", name)
	case strings.Contains(name, "/"), utf8.RuneCountInString(name) > nameRunesMax:
		wrong("Invalid value %s for configuration name: Tarn takes %d characters at most, without a slash", name, nameRunesMax)
	}
}

func checkType(def definition, text string, wrong func(string, ...any)) {
	switch def.Type {
	case "INT", "LONG":
		bits := 32
		if def.Type == "LONG" {
			bits = 64
		}
		n, err := strconv.ParseInt(text, 10, bits)
		switch {
		case err != nil:
			wrong("Invalid value %s for configuration %s: Not a number of type %s", text, def.Name, def.Type)
		case def.Name == "tasks.max" && n < 1:
			wrong("Invalid value %s for configuration tasks.max: Value must be at least 1", text)
		}
	case "BOOLEAN":
		if !strings.EqualFold(text, "true") && !strings.EqualFold(text, "false") {
			wrong("Invalid value %s for configuration %s: Expected value to be either true or false", text, def.Name)
		}
	case "CLASS":
		if !slices.Contains(def.recommended, text) {
			wrong("Invalid value %s for configuration %s: Class %s could not be found.", text, def.Name, text)
		}
	}
}

func (d *Door) kind(class string) (source.Kind, bool) {
	at := slices.IndexFunc(d.kinds, func(k source.Kind) bool { return k.Called(class) })
	if at < 0 {
		return source.Kind{}, false
	}
	return d.kinds[at], true
}

// noSuch refuses a class. Of a sink it says what Tarn has in its place.
func (d *Door) noSuch(class string, config map[string]string) error {
	var list []string
	for _, k := range d.kinds {
		v := d.version(k.Class)
		list = append(list, fmt.Sprintf("PluginDesc{klass=class %s, name='%s', version='%s', encodedVersion=%s, type=source, typeName='source', location='classpath'}", k.Class, k.Class, v, v))
	}
	text := fmt.Sprintf("Failed to find any class that implements Connector and which name matches %s, available connectors are: %s", class, strings.Join(list, ", "))
	if strings.Contains(strings.ToLower(class), "sink") {
		topic, _, _ := strings.Cut(config["topics"], ",")
		if topic = strings.TrimSpace(topic); topic == "" {
			topic = "orders"
		}
		text += fmt.Sprintf(". Tarn runs no sink connectors: topic %s is landed in an Iceberg table, which other programs read as it is; for a table that follows "+
			"a query write a pipeline, such as CREATE MATERIALIZED VIEW latest AS SELECT * FROM \"%s\", see docs/pipelines.md", topic, topic)
	}
	return refusal{http.StatusBadRequest, text}
}

// plugins lists the connectors, and with connectorsOnly=false what else a connector's keys may name.
func (d *Door) plugins(c *call) (answer, error) {
	type plugin struct {
		Class   string `json:"class"`
		Type    string `json:"type"`
		Version string `json:"version"`
	}
	out := []plugin{}
	for _, k := range d.kinds {
		out = append(out, plugin{k.Class, "source", d.version(k.Class)})
	}
	if c.URL.Query().Get("connectorsOnly") == "false" {
		for _, class := range transform.Classes() {
			out = append(out, plugin{class, "transformation", d.version(class)})
		}
	}
	return ok(out), nil
}

func (d *Door) pluginConfig(c *call) (answer, error) {
	name := c.PathValue("plugin")
	kind, known := d.kind(name)
	if !known {
		return answer{}, refusal{http.StatusNotFound, fmt.Sprintf("Unknown plugin %s.", name)}
	}
	worker := workerDefinitions(d.version(kind.Class))
	for i := range worker {
		if strings.Contains(worker[i].Name, "converter") { // a worker's, which a connector has not of itself
			worker[i].Default = nil
		}
	}
	return ok(slices.Concat(kindDefinitions(kind), worker)), nil
}

// validate answers what judge says. The plugin is the path's, which the configuration's must be as well.
func (d *Door) validate(c *call) (answer, error) {
	var asked values
	if err := c.read(&asked); err != nil {
		return answer{}, err
	}
	config, plugin := asked.texts(), c.PathValue("plugin")
	short := func(class string) string { return strings.TrimSuffix(class, "Connector") }
	if class := config[keyClass]; class != "" && !strings.HasSuffix(short(class), short(plugin)) {
		return answer{}, refusal{http.StatusBadRequest, fmt.Sprintf("Included connector type %s does not match request type %s", class, plugin)}
	}
	name := config[keyName]
	r, err := d.judge(c.Context(), name, config)
	return ok(r), err
}
