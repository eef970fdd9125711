package ingest

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"tarn/embedded/bus"
	"tarn/embedded/bus/group"
	"tarn/embedded/fault"
	"tarn/embedded/guard"
	"tarn/embedded/record"
	"tarn/embedded/sqltext"
)

// resetting is ALTER GROUP, read.
type resetting struct {
	group     string
	to        string // EARLIEST, LATEST, TIMESTAMP or OFFSET
	at        time.Time
	offset    int64
	topic     string // "" for all that the group has committed
	partition int32  // -1 for all
}

// groupTimes are the ways to write a time in ALTER GROUP, in UTC where it says nothing else.
var groupTimes = []string{time.RFC3339Nano, "2006-01-02 15:04:05", "2006-01-02 15:04", time.DateOnly}

// alterGroup is
//
//	ALTER GROUP name SET OFFSETS TO EARLIEST | LATEST | TIMESTAMP '2026-07-01 12:30' | 120 [ON topic [PARTITION 0]]
//
// for a consumer group without members. Its answer has a row for each partition.
func (g *Ingest) alterGroup(ctx context.Context, who guard.Principal, statement string) (Answer, error) {
	r, err := readReset(statement)
	if err != nil {
		return Answer{}, err
	}
	if err := g.mayGroup(who, guard.Alter, r.group); err != nil {
		return Answer{}, err
	}
	parts, err := g.resets(r)
	if err != nil {
		return Answer{}, err
	}
	had, err := g.o.Groups.Fetch(r.group, parts, false)
	if err != nil {
		return Answer{}, groupFault(err, r.group)
	}
	c := group.Commit{Beat: group.Beat{Group: r.group, Generation: -1}}
	rows := make([][]any, 0, len(parts))
	for i, p := range parts {
		offset, err := g.place(ctx, r, p)
		if err != nil {
			return Answer{}, err
		}
		c.Offsets = append(c.Offsets, group.Offset{Partition: p, At: offset, LeaderEpoch: -1})
		before := any(had[i].Offset)
		if had[i].Offset < 0 {
			before = nil
		}
		rows = append(rows, []any{p.Topic, int64(p.Number), before, offset})
	}
	errs, err := g.o.Groups.Commit(ctx, c)
	if err := errors.Join(append(errs, err)...); err != nil {
		return Answer{}, groupFault(err, r.group)
	}
	return Answer{tag: "ALTER GROUP", rows: rows, columns: []record.Column{
		{Name: "topic", Type: record.String}, {Name: "partition", Type: record.Int}, {Name: "before", Type: record.Long}, {Name: "committed", Type: record.Long},
	}}, nil
}

// readReset reads ALTER GROUP.
func readReset(statement string) (r resetting, err error) {
	in, err := sqltext.NewReader(statement)
	if err != nil {
		return r, err
	}
	in.Take("ALTER", "GROUP")
	if r.group, err = groupName(in); err != nil {
		return r, err
	}
	if !in.Take("SET", "OFFSETS", "TO") {
		return r, in.Fault("SET OFFSETS TO")
	}
	switch at := in.Offset(); {
	case in.Take("EARLIEST"), in.Take("LATEST"):
		r.to = strings.ToUpper(statement[at:in.Offset()])
		r.to = strings.Fields(r.to)[0]
	case in.Take("TIMESTAMP"):
		r.to = "TIMESTAMP"
		at := in.Offset()
		if r.at, err = groupTime(in.Next()); err != nil {
			return r, sqltext.At(fault.New(fault.Syntax, err.Error(), "write it as in TIMESTAMP '2026-07-01 12:30', in UTC"), statement, at)
		}
	default:
		r.to = "OFFSET"
		if r.offset, err = strconv.ParseInt(in.Peek().Text, 10, 64); err != nil {
			return r, in.Fault("EARLIEST, LATEST, TIMESTAMP or an offset")
		}
		in.Next()
	}
	r.partition = -1
	if in.Take("ON") {
		if r.topic, err = groupName(in); err != nil {
			return r, err
		}
		if in.Take("PARTITION") {
			n, err := strconv.ParseInt(in.Peek().Text, 10, 32)
			if err != nil {
				return r, in.Fault("a partition's number")
			}
			in.Next()
			r.partition = int32(n)
		}
	}
	return r, in.Done()
}

// groupName reads the name of a group or topic: in quotes where it has more than letters, digits, underscores and dots.
func groupName(in *sqltext.Reader) (string, error) {
	if t := in.Peek(); t.Kind == sqltext.String {
		in.Next()
		return t.Value(), nil
	}
	parts, err := in.Name()
	for err == nil && in.Take(".") {
		var more []string
		more, err = in.Name()
		parts = append(parts, more...)
	}
	return strings.Join(parts, "."), err
}

func groupTime(t sqltext.Token) (time.Time, error) {
	if t.Kind == sqltext.String {
		for _, layout := range groupTimes {
			if at, err := time.Parse(layout, strings.TrimSpace(t.Value())); err == nil {
				return at, nil
			}
		}
	}
	return time.Time{}, errors.New(t.Text + " is no time")
}

func (g *Ingest) mayGroup(who guard.Principal, a guard.Action, name string) error {
	if g.o.Guard == nil || g.o.Guard.Decide(who, a, guard.Resource{Kind: guard.Group, Path: []string{name}}).Allow {
		return nil
	}
	return fault.Newf(fault.Denied, "ask for a grant", "you may not alter the group %s", name)
}

// resets are the partitions that a statement means.
func (g *Ingest) resets(r resetting) ([]group.Partition, error) {
	var parts []group.Partition
	if r.topic == "" {
		if _, err := g.o.Groups.Describe(r.group); err != nil {
			return nil, g.unknownGroup(r.group)
		}
		got, err := g.o.Groups.Fetch(r.group, nil, false)
		for _, f := range got {
			parts = append(parts, f.Partition)
		}
		if err == nil && len(parts) == 0 {
			err = fault.Newf(fault.NotFound, "name a topic: … ON topic", "the group %s has no offsets", r.group)
		}
		return parts, err
	}
	t, err := g.o.Bus.Topic(r.topic)
	if err != nil {
		return nil, fault.Wrap(err, fault.NotFound, "set the offsets of group "+r.group, "see FROM system.topics")
	}
	for _, p := range t.Partitions() {
		if r.partition < 0 || p.Number() == r.partition {
			parts = append(parts, group.Partition{Topic: r.topic, Number: p.Number()})
		}
	}
	if len(parts) == 0 {
		return nil, fault.Newf(fault.NotFound, "see FROM system.topics", "topic %s has no partition %d", r.topic, r.partition)
	}
	return parts, nil
}

// unknownGroup refuses a name that no group has.
func (g *Ingest) unknownGroup(name string) error {
	var names []string
	for _, s := range g.o.Groups.List() {
		names = append(names, s.Group)
	}
	hint := "see FROM system.groups"
	if near := sqltext.Nearest(name, names); near != "" {
		hint = "did you mean " + near + "?"
	}
	return fault.Newf(fault.NotFound, hint, "there is no group %s", name)
}

// place is the offset that a statement means in a partition: within what the log holds.
func (g *Ingest) place(ctx context.Context, r resetting, of group.Partition) (int64, error) {
	p, err := g.partition(of)
	if err != nil {
		return 0, err
	}
	switch r.to {
	case "EARLIEST":
		return p.LogStart(), nil
	case "TIMESTAMP":
		offset, _, ok, err := p.Since(ctx, r.at.UnixMilli())
		if err != nil || ok {
			return offset, err
		}
	case "OFFSET":
		return min(max(r.offset, p.LogStart()), p.Next()), nil
	}
	return p.Next(), nil
}

func (g *Ingest) partition(of group.Partition) (*bus.Partition, error) {
	t, err := g.o.Bus.Topic(of.Topic)
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(t.Partitions(), func(p *bus.Partition) bool { return p.Number() == of.Number }); i >= 0 {
		return t.Partitions()[i], nil
	}
	return nil, fault.Newf(fault.NotFound, "see FROM system.topics", "topic %s has no partition %d", of.Topic, of.Number)
}

// dropGroup is DROP GROUP name: of one without members, with its offsets.
func (g *Ingest) dropGroup(ctx context.Context, who guard.Principal, statement string) (Answer, error) {
	in, err := sqltext.NewReader(statement)
	if err != nil {
		return Answer{}, err
	}
	in.Take("DROP", "GROUP")
	name, err := groupName(in)
	if err == nil {
		err = in.Done()
	}
	if err != nil {
		return Answer{}, err
	}
	if err := g.mayGroup(who, guard.Drop, name); err != nil {
		return Answer{}, err
	}
	if err := g.o.Groups.Delete(ctx, name); errors.Is(err, group.ErrNotFound) {
		return Answer{}, g.unknownGroup(name)
	} else if err != nil {
		return Answer{}, groupFault(err, name)
	}
	return Answer{tag: "DROP GROUP"}, nil
}

// groupFault says what the coordinator refused.
func groupFault(err error, name string) error {
	switch {
	case errors.Is(err, group.ErrNotEmpty), errors.Is(err, group.ErrUnknownMember):
		return fault.Newf(fault.Conflict, "stop its consumers, or wait until their sessions have ended", "the group %s has members, who would not see it", name)
	case errors.Is(err, group.ErrUnavailable):
		return fault.Wrap(err, fault.Unavailable, "change the group "+name, "try again")
	}
	return err
}
