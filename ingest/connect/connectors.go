package connect

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"tarn/embedded/fault"
	"tarn/ingest"
	"tarn/ingest/source"
)

// The keys of Connect itself that the door reads.
const (
	keyName  = "name"
	keyClass = "connector.class"
)

// info is a connector with what it was told.
type info struct {
	Name   string            `json:"name"`
	Config map[string]string `json:"config"`
	Tasks  []taskID          `json:"tasks"`
	Type   string            `json:"type"`
}

// taskID is one task of a connector; Tarn has one of each that is not stopped.
type taskID struct {
	Connector string `json:"connector"`
	Task      int    `json:"task"`
}

// configOf is a connector's configuration as Connect tells it: with its name, and secrets as they were given.
func configOf(c ingest.Connector) map[string]string {
	config := maps.Clone(c.Keys)
	if config == nil {
		config = map[string]string{}
	}
	config[keyName] = c.Name
	return config
}

func infoOf(c ingest.Connector) info {
	i := info{c.Name, configOf(c), []taskID{}, "source"}
	for n := range tasksOf(c) {
		i.Tasks = append(i.Tasks, taskID{c.Name, n})
	}
	return i
}

func (d *Door) list(c *call) (answer, error) {
	all := d.o.Room.Connectors()
	if !c.URL.Query().Has("expand") {
		names := []string{}
		for _, one := range all {
			names = append(names, one.Name)
		}
		return ok(names), nil
	}
	expand := c.URL.Query()["expand"]
	out := map[string]map[string]any{}
	for _, one := range all {
		out[one.Name] = map[string]any{}
		if slices.Contains(expand, "status") {
			out[one.Name]["status"] = d.statusOf(one)
		}
		if slices.Contains(expand, "info") {
			out[one.Name]["info"] = infoOf(one)
		}
	}
	return ok(out), nil
}

// found is the connector that a call is about.
func (d *Door) found(c *call) (ingest.Connector, error) {
	for _, one := range d.o.Room.Connectors() {
		if one.Name == c.name() {
			return one, nil
		}
	}
	return ingest.Connector{}, refusal{http.StatusNotFound, fmt.Sprintf("Connector %s not found", c.name())}
}

func (d *Door) info(c *call) (answer, error) {
	one, err := d.found(c)
	return ok(infoOf(one)), err
}

func (d *Door) config(c *call) (answer, error) {
	one, err := d.found(c)
	return ok(configOf(one)), err
}

func (d *Door) remove(c *call) (answer, error) {
	if _, err := d.found(c); err != nil {
		return answer{}, err
	}
	d.forgetReset(c.name())
	return answer{http.StatusNoContent, nil}, d.o.Room.Delete(c.Context(), c.who, c.name())
}

// values are a configuration as it is sent. As in Connect, numbers and booleans are the texts that they are.
type values map[string]*string

// UnmarshalJSON takes any value but lists and objects.
func (v *values) UnmarshalJSON(text []byte) error {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(text, &raw); err != nil {
		return err
	}
	*v = values{}
	for key, value := range raw {
		var text string
		switch value[0] {
		case '[', '{':
			return fmt.Errorf("the value of %s is neither text nor number", key)
		case 'n':
			(*v)[key] = nil
			continue
		case '"':
			if err := json.Unmarshal(value, &text); err != nil {
				return err
			}
		default:
			text = string(value)
		}
		(*v)[key] = &text
	}
	return nil
}

// texts are the values that are not null.
func (v values) texts() map[string]string {
	out := map[string]string{}
	for key, value := range v {
		if value != nil {
			out[key] = *value
		}
	}
	return out
}

func (d *Door) create(c *call) (answer, error) {
	var asked struct {
		Name    string `json:"name"`
		Config  values `json:"config"`
		Initial string `json:"initial_state"`
	}
	if err := c.read(&asked); err != nil {
		return answer{}, err
	}
	held := ""
	switch strings.ToUpper(asked.Initial) {
	case "", "RUNNING":
	case "PAUSED":
		held = source.Paused
	case "STOPPED":
		held = source.Stopped
	default:
		return answer{}, refusal{http.StatusBadRequest, fmt.Sprintf("initial_state is %q; use RUNNING, PAUSED or STOPPED", asked.Initial)}
	}
	return d.put(c, strings.TrimSpace(asked.Name), asked.Config.texts(), held, true)
}

func (d *Door) configure(c *call) (answer, error) {
	var config values
	if err := c.read(&config); err != nil {
		return answer{}, err
	}
	return d.put(c, c.name(), config.texts(), "", false)
}

// patch changes some keys of a configuration: a null takes a key out.
func (d *Door) patch(c *call) (answer, error) {
	var changes values
	if err := c.read(&changes); err != nil {
		return answer{}, err
	}
	one, err := d.found(c)
	if err != nil {
		return answer{}, err
	}
	config := configOf(one)
	for key, value := range changes {
		if value == nil {
			delete(config, key)
		} else {
			config[key] = *value
		}
	}
	return d.put(c, c.name(), config, "", false)
}

// put makes a connector, or gives it another configuration; fresh says that it must not be there.
func (d *Door) put(c *call, name string, config map[string]string, held string, fresh bool) (answer, error) {
	if said, ok := config[keyName]; ok && said != name {
		return answer{}, refusal{http.StatusBadRequest, fmt.Sprintf("Connector name configuration (%s) doesn't match connector name in the URL (%s)", said, name)}
	}
	delete(config, keyName)
	there := slices.ContainsFunc(d.o.Room.Connectors(), func(one ingest.Connector) bool { return one.Name == name })
	if there && fresh {
		return answer{}, refusal{http.StatusConflict, fmt.Sprintf("Connector %s already exists", name)}
	}
	report, err := d.judge(c.Context(), name, config)
	if err != nil {
		return answer{}, err
	}
	if err := report.refusal(); err != nil {
		return answer{}, err
	}
	status := http.StatusOK
	if there {
		err = d.o.Room.Configure(c.Context(), c.who, name, config)
	} else {
		status, err = http.StatusCreated, d.o.Room.Create(c.Context(), c.who, name, config, held)
	}
	if fault.CodeOf(err) == fault.Exists {
		return answer{}, refusal{http.StatusConflict, fmt.Sprintf("Connector %s already exists", name)}
	}
	if err != nil {
		return answer{}, err
	}
	c.SetPathValue("connector", name)
	one, err := d.found(c)
	return answer{status, infoOf(one)}, err
}
