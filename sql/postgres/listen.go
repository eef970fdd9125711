//go:build duckdb_arrow

package postgres

import (
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/jackc/pgx/v5/pgproto3"

	"tarn/embedded/duck"
	"tarn/embedded/fault"
	"tarn/embedded/sqltext"
)

// The bounds of notifications.
const (
	channelsMax     = 256 // that a connection listens to
	channelBytesMax = 255 // of a name: those of tables are longer than PostgreSQL's 63
	payloadBytesMax = 7999
	notesMax        = 1024 // notes of one transaction, and savepoints
)

// note is what a transaction has to say or do once it commits.
type note struct {
	verb             string // NOTIFY, LISTEN, UNLISTEN
	channel, payload string // "" of UNLISTEN: all
}

// savepoint is how many notes there were before it.
type savepoint struct {
	name string
	at   int
}

// listen answers LISTEN, UNLISTEN and NOTIFY, which take effect when the transaction commits.
func (c *conn) listen(in *sqltext.Reader, verb string) (*answer, error) {
	n := note{verb: verb}
	var err error
	if verb != "UNLISTEN" || !in.Take("*") {
		if n.channel, err = readChannel(in); err != nil {
			return nil, err
		}
	}
	if verb == "NOTIFY" && in.Take(",") {
		t := in.Peek()
		if t.Kind != sqltext.String {
			return nil, in.Fault("a text such as 'text', or SELECT pg_notify($1, $2)")
		}
		in.Next()
		n.payload = t.Value()
	}
	if err := in.Done(); err != nil {
		return nil, err
	}
	return &answer{tag: verb}, c.note(n)
}

// notify is pg_notify of each row of a column, whose values are empty.
func (c *conn) notify(column arrow.Array) (arrow.Array, error) {
	calls, _ := column.(*array.Struct)
	channels, _ := calls.Field(0).(*array.String)
	payloads, _ := calls.Field(1).(*array.String)
	b := array.NewStringBuilder(memory.DefaultAllocator)
	defer b.Release()
	for row := range calls.Len() {
		n := note{verb: "NOTIFY"}
		if !channels.IsNull(row) {
			n.channel = strings.Clone(channels.Value(row)) // the batch's memory is DuckDB's
		}
		if !payloads.IsNull(row) {
			n.payload = strings.Clone(payloads.Value(row))
		}
		if err := c.note(n); err != nil {
			return nil, err
		}
		b.Append("")
	}
	return b.NewArray(), nil
}

// readChannel reads the name of a channel.
func readChannel(in *sqltext.Reader) (string, error) {
	t := in.Peek()
	parts, err := in.Name()
	switch {
	case err != nil:
		return "", err
	case len(parts) > 1:
		return "", in.At(fault.New(fault.Syntax, `a channel is one name: "`+strings.Join(parts, ".")+`"`, "the name of a channel has no parts"), t.Offset)
	case t.Kind == sqltext.Word:
		return strings.ToLower(parts[0]), nil
	}
	return parts[0], nil
}

// note keeps what is to be done when the transaction commits.
func (c *conn) note(n note) error {
	_, table := isTable(n.channel)
	switch {
	case n.channel == "" && n.verb != "UNLISTEN":
		return stateError{"22023", fault.New(fault.Invalid, "channel name cannot be empty", "")}
	case len(n.channel) > channelBytesMax:
		return stateError{"22023", fault.New(fault.Invalid, "channel name too long", "")}
	case len(n.payload) > payloadBytesMax:
		return stateError{"22023", fault.New(fault.Invalid, "payload string too long", "send where it is to be read")}
	case n.verb == "NOTIFY" && table:
		return stateError{"42501", fault.Newf(fault.Denied, "use a name without a point", "the channel %q is Tarn's own, which tells of commits there", n.channel)}
	case n.verb == "NOTIFY" && slices.Contains(c.notes, n): // PostgreSQL sends such a one once
		return nil
	case len(c.notes) >= notesMax:
		return stateError{"54000", fault.Newf(fault.TooLarge, "COMMIT more often", "there are %d notifications in this transaction already", notesMax)}
	}
	c.notes = append(c.notes, n)
	return nil
}

// announce does what was noted, for the transaction commits.
func (c *conn) announce() error {
	notes := c.notes
	c.unnote()
	if len(notes) == 0 {
		return nil
	}
	for _, n := range notes { // before what is sent, which reaches this connection too
		switch n.verb {
		case "LISTEN":
			if err := c.door.post.listen(c, n.channel); err != nil {
				return err
			}
			c.hearing()
		case "UNLISTEN":
			c.door.post.unlisten(c, n.channel)
		}
	}
	return c.door.post.send(c.pid, notes)
}

// unnote forgets what was noted, for the transaction does not commit.
func (c *conn) unnote() { c.notes, c.savepoints = nil, nil }

// savepoint keeps what ROLLBACK TO goes back to: SAVEPOINT name, and RELEASE [SAVEPOINT] name.
func (c *conn) savepoint(in *sqltext.Reader, verb string) (*answer, error) {
	in.Take("SAVEPOINT")
	if c.state == idle {
		return nil, stateError{"25P01", fault.Newf(fault.Invalid, "send BEGIN before it", "%s can only be used in transaction blocks", strings.Replace(verb, "RELEASE", "RELEASE SAVEPOINT", 1))}
	}
	parts, err := in.Name()
	if err != nil {
		return nil, err
	}
	name := strings.ToLower(parts[len(parts)-1])
	if verb == "RELEASE" {
		i := c.savepointAt(name)
		if i < 0 {
			return nil, stateError{"3B001", fault.Newf(fault.NotFound, "", "savepoint %q does not exist", name)}
		}
		c.savepoints = c.savepoints[:i]
	} else if len(c.savepoints) >= notesMax {
		return nil, errTooMany("savepoints")
	} else {
		c.savepoints = append(c.savepoints, savepoint{name, len(c.notes)})
	}
	return &answer{tag: verb}, nil
}

// backTo forgets what was noted since a savepoint: [WORK | TRANSACTION] TO [SAVEPOINT] name.
func (c *conn) backTo(in *sqltext.Reader) {
	for in.Take("WORK") || in.Take("TRANSACTION") || in.Take("TO") || in.Take("SAVEPOINT") {
	}
	parts, err := in.Name()
	if err != nil {
		return
	}
	if i := c.savepointAt(strings.ToLower(parts[0])); i >= 0 {
		c.notes, c.savepoints = c.notes[:min(c.savepoints[i].at, len(c.notes))], c.savepoints[:i+1]
	}
}

// savepointAt is the place of the latest of that name; -1 for none.
func (c *conn) savepointAt(name string) int {
	for i, s := range slices.Backward(c.savepoints) {
		if s.name == name {
			return i
		}
	}
	return -1
}

// hearing tells the client of what comes for it while it is idle, until the connection ends.
func (c *conn) hearing() {
	if c.heard {
		return
	}
	c.heard = true
	c.teller.Go(func() {
		for {
			select {
			case <-c.ctx.Done():
				return
			case <-c.inbox.wake:
			}
			if c.guarded(c.deliver) != nil {
				_ = c.net.Close()
			}
		}
	})
}

// deliver sends what waits for the client, if it is idle.
func (c *conn) deliver() error {
	c.work.Lock()
	defer c.work.Unlock()
	if !c.resting || c.state != idle || c.terminated.Load() {
		return nil
	}
	c.hear()
	return c.flush()
}

// hear sends what waits for the client, which is in no transaction.
func (c *conn) hear() {
	for _, n := range c.door.post.take(c) {
		if payload, ok := n.said(c); ok {
			c.be.Send(&pgproto3.NotificationResponse{PID: n.pid, Channel: n.channel, Payload: payload})
			c.door.told.Inc()
		}
	}
}

// listening is pg_listening_channels() in the place of its call, which ends two tokens behind at: a table, or a column of a SELECT.
func (c *conn) listening(tokens []sqltext.Token, at int) string {
	const name = "pg_listening_channels"
	channels := c.door.post.channelsOf(c)
	for i, name := range channels {
		channels[i] = duck.Quote(name)
	}
	rows := "unnest(CAST([" + strings.Join(channels, ", ") + "] AS VARCHAR[]))"
	first := at
	if at > 2 && tokens[at-1].Is(".") {
		first -= 2
	}
	switch behind := at + 3; {
	case first > 0 && (tokens[first-1].Is("FROM") || tokens[first-1].Is("JOIN")):
		return "(SELECT " + rows + " AS " + name + ")"
	case behind >= len(tokens) || tokens[behind].Is(",") || tokens[behind].Is(";") || tokens[behind].Kind == sqltext.Word && clause(tokens[behind]):
		return rows + " AS " + name
	}
	return rows
}
