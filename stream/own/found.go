package own

import (
	"context"
	"fmt"
	"time"

	"tarn/embedded/record"
)

// Find is a piece of a source, of a file for instance, that became no record of a topic.
type Find struct {
	Place string // grows within the topic
	Where []byte // the letter's key
	Value []byte
	Why   string
}

// Found appends finds of a source to tarn.dead_letter, each once by its place in the topic. They have no offset. by is the source's name.
func (t Topics) Found(ctx context.Context, topic, source, by, incarnation string, finds []Find, at time.Time) error {
	var list []Out
	for _, f := range finds {
		value, err := JSON(struct {
			Topic string  `json:"topic"`
			At    string  `json:"at"`
			Error string  `json:"error"`
			Key   *string `json:"key"`
			Value *string `json:"value"`
			By    string  `json:"reader"`
		}{topic, at.Format(time.RFC3339Nano), cut(f.Why, letterBytesMax/8), Text(cut(f.Where, letterBytesMax/8)), Text(cut(f.Value, letterBytesMax/2)), "source " + by})
		if err != nil {
			return err
		}
		list = append(list, Out{f.Place, record.Record{Timestamp: at.UnixMilli(), Value: value, Headers: errorHeaders(topic, by, "TASK_POLL", f.Why)}})
	}
	if err := t[DeadLetter].Append(ctx, "found:"+source+":"+topic, incarnation, list); err != nil {
		return fmt.Errorf("append to %s: %w", DeadLetter, err)
	}
	return nil
}
