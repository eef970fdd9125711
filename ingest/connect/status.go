package connect

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"tarn/embedded/fault"
	"tarn/ingest"
	"tarn/ingest/source"
)

// The states of Connect.
const (
	running    = "RUNNING"
	paused     = "PAUSED"
	stopped    = "STOPPED"
	failed     = "FAILED"
	restarting = "RESTARTING"
)

// failedAfter is how long a source is tried again before its task is told as failed. Tarn goes on trying.
const failedAfter = 10 * time.Second

// state is how a connector or a task stands.
type state struct {
	ID      *int   `json:"id,omitempty"`
	State   string `json:"state"`
	Worker  string `json:"worker_id"`
	Version string `json:"version"`
	Trace   string `json:"trace,omitempty"`
}

// statusInfo is a connector's status.
type statusInfo struct {
	Name      string  `json:"name"`
	Connector state   `json:"connector"`
	Tasks     []state `json:"tasks"`
	Type      string  `json:"type"`
}

// tasksOf is how many tasks a connector has: one, none where it is stopped.
func tasksOf(c ingest.Connector) int {
	if c.State == source.Stopped || c.Class == "" {
		return 0
	}
	return 1
}

func (d *Door) statusOf(c ingest.Connector) statusInfo {
	s := statusInfo{Name: c.Name, Tasks: []state{}, Type: "source"}
	s.Connector = state{State: running, Worker: d.worker, Version: d.version(c.Class)}
	task := s.Connector
	switch {
	case c.State == source.Paused:
		s.Connector.State, task.State = paused, paused
	case c.State == source.Stopped:
		s.Connector.State = stopped
	case c.Class == "":
		s.Connector.State, s.Connector.Trace = failed, trace(c)
	case c.State == source.Failed, c.State == source.Retrying && time.Since(c.Since) > failedAfter, c.Error != "" && c.State != source.Retrying:
		task.State, task.Trace = failed, trace(c)
	}
	for n := range tasksOf(c) {
		task.ID = &n
		s.Tasks = append(s.Tasks, task)
	}
	return s
}

// trace is what is wrong, and what to do.
func trace(c ingest.Connector) string {
	if c.Hint == "" {
		return c.Error
	}
	return c.Error + "\n" + c.Hint
}

// version is that of a connector: of Debezium's those that the door speaks as, Tarn's of its own.
func (d *Door) version(class string) string {
	if strings.HasPrefix(class, "io.debezium.") {
		return debeziumVersion
	}
	return d.o.Version
}

func (d *Door) status(c *call) (answer, error) {
	one, err := d.found(c)
	if err != nil {
		return answer{}, refusal{http.StatusNotFound, fmt.Sprintf("No status found for connector %s", c.name())}
	}
	return ok(d.statusOf(one)), nil
}

func (d *Door) tasks(c *call) (answer, error) {
	one, err := d.found(c)
	if err != nil {
		return answer{}, err
	}
	type task struct {
		ID     taskID            `json:"id"`
		Config map[string]string `json:"config"`
	}
	out := []task{}
	for n := range tasksOf(one) {
		config := configOf(one)
		config["task.class"] = one.Class + "Task"
		out = append(out, task{taskID{one.Name, n}, config})
	}
	return ok(out), nil
}

// task is the number of the task that a call is about; whether there is one is told by found.
func (d *Door) task(c *call) (n int, found bool, err error) {
	n, err = strconv.Atoi(c.PathValue("task"))
	if err != nil {
		return 0, false, refusal{http.StatusNotFound, "HTTP 404 Not Found"}
	}
	one, err := d.found(c)
	return n, err == nil && n >= 0 && n < tasksOf(one), nil
}

func (d *Door) taskStatus(c *call) (answer, error) {
	n, found, err := d.task(c)
	if err != nil {
		return answer{}, err
	}
	one, gone := d.found(c)
	if !found || gone != nil {
		return answer{}, refusal{http.StatusNotFound, fmt.Sprintf("No status found for task %s-%d", c.name(), n)}
	}
	return ok(d.statusOf(one).Tasks[n]), nil
}

func (d *Door) restartTask(c *call) (answer, error) {
	n, found, err := d.task(c)
	if err != nil {
		return answer{}, err
	}
	if !found {
		return answer{}, refusal{http.StatusNotFound, fmt.Sprintf("Task %s-%d not found", c.name(), n)}
	}
	return answer{http.StatusNoContent, nil}, d.o.Room.Restart(c.Context(), c.who, c.name())
}

// restart starts a connector anew; what it was asked to is told in the states that it answers.
func (d *Door) restart(c *call) (answer, error) {
	tasks, onlyFailed := c.URL.Query().Get("includeTasks") == "true", c.URL.Query().Get("onlyFailed") == "true"
	one, err := d.found(c)
	if err != nil {
		return answer{}, refusal{http.StatusNotFound, fmt.Sprintf("Unknown connector: %s", c.name())}
	}
	if !tasks && !onlyFailed {
		return answer{http.StatusNoContent, nil}, d.o.Room.Restart(c.Context(), c.who, c.name())
	}
	s := d.statusOf(one)
	again := func(of *state) bool {
		if onlyFailed && of.State != failed || of.State == stopped || of.State == paused {
			return false
		}
		of.State, of.Trace = restarting, ""
		return true
	}
	any := again(&s.Connector)
	for i := range s.Tasks {
		any = tasks && again(&s.Tasks[i]) || any
	}
	if any {
		err = d.o.Room.Restart(c.Context(), c.who, c.name())
	}
	return answer{http.StatusAccepted, s}, err
}

// holding holds a connector in a state, and answers with a status.
func holding(state string, status int) func(*Door, *call) (answer, error) {
	return func(d *Door, c *call) (answer, error) {
		err := d.o.Room.Hold(c.Context(), c.who, c.name(), state)
		if fault.CodeOf(err) == fault.NotFound {
			err = refusal{http.StatusNotFound, fmt.Sprintf("Unknown connector %s", c.name())}
		}
		return answer{status, nil}, err
	}
}

// topics are those that a connector has filled since they were reset.
func (d *Door) topics(c *call) (answer, error) {
	filled, err := d.o.Room.Filled(c.Context(), c.name())
	if err != nil {
		return answer{}, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	names := []string{}
	for _, topic := range slices.Sorted(maps.Keys(filled)) {
		if filled[topic] > d.reset[c.name()][topic] {
			names = append(names, topic)
		}
	}
	return ok(map[string]any{c.name(): map[string]any{"topics": names}}), nil
}

func (d *Door) resetTopics(c *call) (answer, error) {
	if _, err := d.found(c); err != nil { // Connect accepts any name, and nothing is kept of one that is none
		return answer{http.StatusAccepted, nil}, nil
	}
	filled, err := d.o.Room.Filled(c.Context(), c.name())
	if err != nil {
		return answer{}, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.reset[c.name()] = filled
	return answer{http.StatusAccepted, nil}, nil
}

func (d *Door) forgetReset(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.reset, name)
}
