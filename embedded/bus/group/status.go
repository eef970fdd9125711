package group

import (
	"context"

	"tarn/embedded/bus"
)

// Topics finds topics in a bus, for Options.Topic.
func Topics(b *bus.Bus) func(name string) (id string, partitions int32, ok bool) {
	return func(name string) (string, int32, bool) {
		t, err := b.Topic(name)
		if err != nil {
			return "", 0, false
		}
		c := t.Config()
		return c.ID, c.Partitions, true
	}
}

// NextOffset finds the next offsets of partitions in a bus, for Lines; 0 of one that is not there.
func NextOffset(b *bus.Bus) func(Partition) int64 {
	return func(of Partition) int64 {
		t, err := b.Topic(of.Topic)
		if err != nil || of.Number < 0 || int(of.Number) >= len(t.Partitions()) {
			return 0
		}
		return t.Partitions()[of.Number].Next()
	}
}

// Columns are those of system.groups, a row for each offset that a group has committed; of a group without
// any, one that says nothing of offsets.
const Columns = "name string, state string, members int, topic string, partition int, committed long, next_offset long, lag long"

// Line is how far a group has come in a partition.
type Line struct {
	Group      string
	State      State
	Members    int
	Topic      string // "" for a group without offsets
	Partition  int32
	Committed  int64
	NextOffset int64 // the partition's
	Lag        int64
}

// Lines are all groups, in order of name, topic and partition. next tells a partition's next offset.
func (c *Coordinator) Lines(next func(Partition) int64) []Line {
	var out []Line
	for _, s := range c.List() {
		got, err := c.Fetch(s.Group, nil, false)
		d, gone := c.Describe(s.Group)
		if err != nil || gone != nil {
			continue
		}
		line := Line{Group: s.Group, State: d.State, Members: len(d.Members)}
		if len(got) == 0 {
			out = append(out, line)
		}
		for _, f := range got {
			line.Topic, line.Partition, line.Committed, line.NextOffset = f.Topic, f.Number, f.Offset, next(f.Partition)
			line.Lag = max(0, line.NextOffset-line.Committed)
			out = append(out, line)
		}
	}
	return out
}

// Rows are Lines as rows of Columns.
func (c *Coordinator) Rows(next func(Partition) int64) func(context.Context) ([][]any, error) {
	return func(context.Context) (rows [][]any, _ error) {
		for _, l := range c.Lines(next) {
			row := []any{l.Group, string(l.State), int64(l.Members), nil, nil, nil, nil, nil}
			if l.Topic != "" {
				row = append(row[:3], l.Topic, int64(l.Partition), l.Committed, l.NextOffset, l.Lag)
			}
			rows = append(rows, row)
		}
		return rows, nil
	}
}
