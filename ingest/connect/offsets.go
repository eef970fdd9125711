package connect

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"

	"tarn/ingest"
	"tarn/ingest/source"
)

// offset is where a connector stands in one part of its source. A connector of Tarn has one, named as Debezium names a
// server; its offset is Tarn's own position, the same that meta.db keeps.
type offset struct {
	Partition map[string]string `json:"partition"`
	Offset    json.RawMessage   `json:"offset"`
}

type offsetList struct {
	Offsets []offset `json:"offsets"`
}

// partitionOf names the one part.
func partitionOf(c ingest.Connector) map[string]string {
	if prefix := c.Keys["topic.prefix"]; prefix != "" {
		return map[string]string{"server": prefix}
	}
	return map[string]string{"connector": c.Name}
}

func (d *Door) offsets(c *call) (answer, error) {
	one, err := d.found(c)
	if err != nil {
		return answer{}, err
	}
	at, err := d.o.Room.Position(c.Context(), one.Name)
	list := offsetList{[]offset{}}
	if len(at) > 0 {
		list.Offsets = append(list.Offsets, offset{partitionOf(one), json.RawMessage(at)})
	}
	return ok(list), err
}

// stoppedOne is the connector of a call, if its offsets may be changed.
func (d *Door) stoppedOne(c *call) (ingest.Connector, error) {
	one, err := d.found(c)
	if err == nil && one.State != source.Stopped {
		err = refusal{http.StatusBadRequest, fmt.Sprintf("Connectors must be in the STOPPED state before their offsets can be modified. "+
			"This can be done for the specified connector by issuing a 'PUT' request to the '/connectors/%s/stop' endpoint", one.Name)}
	}
	return one, err
}

func altered(how string) answer {
	return ok(map[string]string{"message": "The Connect framework-managed offsets for this connector have been " + how + " successfully. However, if this " +
		"connector manages offsets externally, they will need to be manually " + how + " in the system that the connector uses."})
}

func (d *Door) resetOffsets(c *call) (answer, error) {
	one, err := d.stoppedOne(c)
	if err != nil {
		return answer{}, err
	}
	return altered("reset"), d.o.Room.Place(c.Context(), c.who, one.Name, nil)
}

func (d *Door) alterOffsets(c *call) (answer, error) {
	var asked offsetList
	if err := c.read(&asked); err != nil {
		return answer{}, err
	}
	if len(asked.Offsets) == 0 {
		return answer{}, refusal{http.StatusBadRequest, "Partitions / offsets need to be provided for an alter offsets request"}
	}
	one, err := d.stoppedOne(c)
	if err != nil {
		return answer{}, err
	}
	want := partitionOf(one)
	for key, value := range want {
		if len(asked.Offsets) != 1 || len(asked.Offsets[0].Partition) != 1 || asked.Offsets[0].Partition[key] != value {
			return answer{}, refusal{http.StatusBadRequest, fmt.Sprintf(`connector %s has one partition, {"%s": "%s"}`, one.Name, key, value)}
		}
	}
	var at source.Position
	switch text := bytes.TrimSpace(asked.Offsets[0].Offset); {
	case len(text) == 0 || string(text) == "null":
	case text[0] == '{':
		var compact bytes.Buffer
		if err := json.Compact(&compact, text); err != nil {
			return answer{}, err
		}
		at = compact.Bytes()
	default:
		return answer{}, refusal{http.StatusBadRequest, "the offset is neither an object nor null"}
	}
	return altered("altered"), d.o.Room.Place(c.Context(), c.who, one.Name, at)
}
