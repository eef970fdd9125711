package ingest

import (
	"context"
	"errors"
	"strconv"

	"tarn/embedded/bus"
	"tarn/embedded/fault"
	"tarn/embedded/guard"
	"tarn/embedded/record"
	"tarn/embedded/sqltext"
)

// topicCommands are the statements of topics. What they refuse the Kafka door refuses, too, and says so in the same words.
func (g *Ingest) topicCommands() []Command {
	return []Command{
		{[]string{"CREATE TOPIC"}, g.createTopic},
		{[]string{"ALTER TOPIC"}, g.alterTopic},
		{[]string{"DROP TOPIC"}, g.dropTopic},
		{[]string{"DESCRIBE TOPIC", "DESC TOPIC"}, g.describeTopic},
		{[]string{"PRODUCE TO"}, g.produce},
	}
}

// named is the topic of a statement.
type named struct {
	topic string
	at    int  // where its name stands
	quiet bool // IF EXISTS, or IF NOT EXISTS
}

// readTopic reads the name of a topic, as groupName does, and the words before it.
func readTopic(in *sqltext.Reader, words ...string) (n named, err error) {
	n.quiet = len(words) > 0 && in.Take(words...)
	n.at = in.Offset()
	n.topic, err = groupName(in)
	return n, err
}

func (g *Ingest) mayTopic(who guard.Principal, a guard.Action, name string) error {
	what := guard.Resource{Kind: guard.Topic, Path: []string{name}}
	if t, err := g.o.Bus.Topic(name); err == nil {
		what.ID = t.Config().ID
	}
	if g.o.Guard == nil || g.o.Guard.Decide(who, a, what).Allow {
		return nil
	}
	return fault.Newf(fault.Denied, "ask for a grant", "you may not %s the topic %s", a, name)
}

// createTopic is
//
//	CREATE TOPIC [IF NOT EXISTS] name [PARTITIONS 3] [WITH ('retention.ms' = '86400000', …)]
func (g *Ingest) createTopic(ctx context.Context, who guard.Principal, statement string) (Answer, error) {
	in, err := sqltext.NewReader(statement)
	if err != nil {
		return Answer{}, err
	}
	in.Take("CREATE", "TOPIC")
	n, err := readTopic(in, "IF", "NOT", "EXISTS")
	if err != nil {
		return Answer{}, err
	}
	config := bus.TopicConfig{Partitions: 1}
	if in.Take("PARTITIONS") {
		if config.Partitions, err = partitions(in, statement); err != nil {
			return Answer{}, err
		}
	}
	if in.Take("WITH") {
		if !in.Take("(") {
			return Answer{}, in.Fault("('retention.ms' = '86400000', …)")
		}
		if config, err = with(in, statement, config); err != nil {
			return Answer{}, err
		}
	}
	if err := in.Done(); err != nil {
		return Answer{}, err
	}
	if err := g.mayTopic(who, guard.Create, n.topic); err != nil {
		return Answer{}, err
	}
	err = g.o.Bus.Creatable(n.topic)
	if n.quiet && fault.CodeOf(err) == fault.Exists {
		return Answer{tag: "CREATE TOPIC"}, nil
	}
	if err != nil {
		return Answer{}, placed(err, statement, n.at)
	}
	_, err = g.o.Bus.CreateTopic(ctx, n.topic, config)
	return Answer{tag: "CREATE TOPIC"}, err
}

// partitions reads how many a topic is to have.
func partitions(in *sqltext.Reader, statement string) (int32, error) {
	at := in.Offset()
	n, err := strconv.ParseInt(in.Peek().Text, 10, 32)
	if err != nil {
		return 0, in.Fault("a number of partitions")
	}
	if in.Next(); n < 1 || n > bus.PartitionsMax {
		return 0, sqltext.At(fault.Newf(fault.Invalid, "partitions are added later, and never taken away", "%d partitions, want 1 to %d", n, bus.PartitionsMax), statement, at)
	}
	return int32(n), nil
}

// with reads settings behind their parenthesis into a configuration.
func with(in *sqltext.Reader, statement string, c bus.TopicConfig) (bus.TopicConfig, error) {
	list, err := readPairs(in, statement, bus.SettingRetention)
	if err != nil {
		return c, err
	}
	return withPairs(c, list, statement)
}

func withPairs(c bus.TopicConfig, list []pair, statement string) (_ bus.TopicConfig, err error) {
	for _, p := range list {
		if c, err = c.With(p.key, p.value); err != nil {
			at := p.valueAt
			if fault.CodeOf(err) == fault.NotFound {
				at = p.keyAt
			}
			return c, placed(err, statement, at)
		}
	}
	return c, nil
}

// placed puts a fault at its place in a statement.
func placed(err error, statement string, at int) error {
	if f, ok := errors.AsType[*fault.Error](err); ok {
		told := *f
		return sqltext.At(&told, statement, at)
	}
	return err
}

// altering is ALTER TOPIC, read: one of settings, names and count.
type altering struct {
	named
	settings   []pair
	names      []pair // keys alone, whose defaults come back
	partitions int32
}

// alterTopic is one of
//
//	ALTER TOPIC [IF EXISTS] name SET ('retention.ms' = '86400000', …)
//	ALTER TOPIC [IF EXISTS] name RESET ('retention.ms', …)
//	ALTER TOPIC [IF EXISTS] name SET PARTITIONS 6
//
// Its answer has a row for each setting that is named, with its value before and now.
func (g *Ingest) alterTopic(ctx context.Context, who guard.Principal, statement string) (Answer, error) {
	a, err := readAlter(statement)
	if err != nil {
		return Answer{}, err
	}
	if err := g.mayTopic(who, guard.Alter, a.topic); err != nil {
		return Answer{}, err
	}
	t, err := g.o.Bus.Alterable(a.topic)
	if a.quiet && fault.CodeOf(err) == fault.NotFound {
		return Answer{tag: "ALTER TOPIC"}, nil
	}
	if err != nil {
		return Answer{}, g.noTopic(err, a.named, statement)
	}
	answer := Answer{tag: "ALTER TOPIC", columns: []record.Column{
		{Name: "setting", Type: record.String}, {Name: "before", Type: record.String}, {Name: "value", Type: record.String},
	}}
	if a.partitions > 0 {
		before := len(t.Partitions())
		if err := g.o.Bus.AddPartitions(ctx, a.topic, a.partitions); err != nil {
			return Answer{}, err
		}
		answer.rows = [][]any{{"partitions", strconv.Itoa(before), strconv.Itoa(int(a.partitions))}}
		return answer, nil
	}
	err = g.o.Bus.ChangeTopic(ctx, a.topic, func(old bus.TopicConfig) (bus.TopicConfig, error) {
		c, err := withPairs(old, a.settings, statement)
		for _, p := range a.names {
			if err == nil {
				c, err = c.Without(p.key)
			}
			if err != nil {
				return c, placed(err, statement, p.keyAt)
			}
		}
		answer.rows = nil
		for _, p := range append(a.settings, a.names...) {
			if s, known := bus.SettingNamed(p.key); known == nil {
				before, _ := s.Value(old)
				now, _ := s.Value(c)
				answer.rows = append(answer.rows, []any{p.key, before, now})
			}
		}
		return c, err
	})
	return answer, err
}

func readAlter(statement string) (a altering, err error) {
	in, err := sqltext.NewReader(statement)
	if err != nil {
		return a, err
	}
	in.Take("ALTER", "TOPIC")
	if a.named, err = readTopic(in, "IF", "EXISTS"); err != nil {
		return a, err
	}
	switch {
	case in.Take("SET", "PARTITIONS"):
		a.partitions, err = partitions(in, statement)
	case in.Take("SET", "("):
		a.settings, err = readPairs(in, statement, bus.SettingRetention)
	case in.Take("RESET", "("):
		a.names, err = readKeys(in)
	default:
		err = in.Fault("SET ('retention.ms' = '86400000'), RESET ('retention.ms') or SET PARTITIONS 6")
	}
	if err == nil {
		err = in.Done()
	}
	return a, err
}

// readKeys reads 'key', … ).
func readKeys(in *sqltext.Reader) (out []pair, err error) {
	for {
		p := pair{keyAt: in.Offset()}
		if p.key, err = readKey(in, bus.SettingRetention); err != nil {
			return nil, err
		}
		out = append(out, p)
		if in.Take(")") {
			return out, nil
		}
		if !in.Take(",") {
			return nil, in.Fault("a comma or )")
		}
	}
}

// noTopic adds to the fault of a name that no topic has the name that may be meant.
func (g *Ingest) noTopic(err error, n named, statement string) error {
	if fault.CodeOf(err) == fault.NotFound {
		var names []string
		for _, t := range g.o.Bus.Topics() {
			names = append(names, t.Name())
		}
		if near := sqltext.Nearest(n.topic, names); near != "" {
			err = fault.New(fault.NotFound, err.Error(), "did you mean "+near+"?")
		}
	}
	return placed(err, statement, n.at)
}

// dropTopic is DROP TOPIC [IF EXISTS] name: its records and the offsets of groups in it go. What its tables have stays.
func (g *Ingest) dropTopic(ctx context.Context, who guard.Principal, statement string) (Answer, error) {
	in, err := sqltext.NewReader(statement)
	if err != nil {
		return Answer{}, err
	}
	in.Take("DROP", "TOPIC")
	n, err := readTopic(in, "IF", "EXISTS")
	if err == nil {
		err = in.Done()
	}
	if err != nil {
		return Answer{}, err
	}
	if err := g.mayTopic(who, guard.Drop, n.topic); err != nil {
		return Answer{}, err
	}
	_, err = g.o.Bus.Deletable(n.topic)
	if n.quiet && fault.CodeOf(err) == fault.NotFound {
		return Answer{tag: "DROP TOPIC"}, nil
	}
	if err != nil {
		return Answer{}, g.noTopic(err, n, statement)
	}
	return Answer{tag: "DROP TOPIC"}, g.o.Bus.DeleteTopic(ctx, n.topic)
}

// SettingColumns are those of system.topic_settings, as sql/system's Table writes them.
const SettingColumns = "topic string, name string, value string, default_value string, changed boolean, in_force boolean, type string, doc string"

// SettingRows are all settings of all topics, in order of topics and names.
func (g *Ingest) SettingRows(context.Context) (rows [][]any, _ error) {
	for _, t := range g.o.Bus.Topics() {
		rows = append(rows, settingRows(t)...)
	}
	return rows, nil
}

func settingRows(t *bus.Topic) (rows [][]any) {
	c := t.Config()
	for _, s := range bus.Settings() {
		value, changed := s.Value(c)
		rows = append(rows, []any{t.Name(), s.Name, value, s.Default(c), changed, s.InForce, s.Type.String(), s.Doc})
	}
	return rows
}

// describeTopic is DESCRIBE TOPIC name: a row of system.topic_settings for each of its settings.
func (g *Ingest) describeTopic(_ context.Context, who guard.Principal, statement string) (Answer, error) {
	in, err := sqltext.NewReader(statement)
	if err != nil {
		return Answer{}, err
	}
	in.Next() // the verb
	in.Take("TOPIC")
	n, err := readTopic(in)
	if err == nil {
		err = in.Done()
	}
	if err != nil {
		return Answer{}, err
	}
	if err := g.mayTopic(who, guard.Read, n.topic); err != nil && g.mayTopic(who, guard.Write, n.topic) != nil {
		return Answer{}, err
	}
	t, err := g.o.Bus.Topic(n.topic)
	if err != nil {
		return Answer{}, g.noTopic(fault.Newf(fault.NotFound, "see FROM system.topics", "there is no topic %s", n.topic), n, statement)
	}
	answer := Answer{tag: "DESCRIBE TOPIC"}
	for _, c := range []string{"name", "value", "default_value"} {
		answer.columns = append(answer.columns, record.Column{Name: c, Type: record.String})
	}
	answer.columns = append(answer.columns,
		record.Column{Name: "changed", Type: record.Boolean}, record.Column{Name: "in_force", Type: record.Boolean},
		record.Column{Name: "type", Type: record.String}, record.Column{Name: "doc", Type: record.String})
	for _, row := range settingRows(t) {
		answer.rows = append(answer.rows, row[1:])
	}
	return answer, nil
}
