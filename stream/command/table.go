//go:build duckdb_arrow

package command

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"tarn/embedded/bus"
	"tarn/embedded/fault"
	"tarn/embedded/record"
	"tarn/lake/table"
	"tarn/stream/landing"
)

// DropTable drops a table that nobody fills and no pipeline reads, or says who does and what to write instead.
func (p *Pipelines) DropTable(ctx context.Context, id table.Ident) error {
	p.change.Lock()
	defer p.change.Unlock()
	if err := p.needed(id); err != nil {
		return err
	}
	t, err := p.o.Tables.Open(ctx, id)
	if fault.CodeOf(err) == fault.Damaged {
		return p.o.Tables.Drop(ctx, id, "") // nobody knows an owner
	}
	if err != nil {
		return err
	}
	owner, _ := t.Property(table.PropOwner)
	if topic, _ := t.Property(table.PropTopic); owner == landing.Reader {
		if err := p.landed(id, topic); err != nil {
			return err
		}
	}
	return p.o.Tables.Drop(ctx, id, owner)
}

// landed refuses a table as long as the topic that fills it is there: it would come back with the next record, and without
// what was in it.
func (p *Pipelines) landed(id table.Ident, topic string) error {
	if _, err := p.o.Bus.Topic(topic); errors.Is(err, bus.ErrNoTopic) {
		return nil
	}
	if strings.HasPrefix(topic, record.OwnPrefix) {
		return fault.Newf(fault.Denied, "leave it: its old snapshots go by themselves", "%s is Tarn's own table", id)
	}
	what := "is the mirror"
	if id.Namespace != silver {
		what = "has the history"
	}
	return fault.Newf(fault.Denied, fmt.Sprintf("leave it, or first take its table out of the connector (table.exclude.list, or remove its file) and delete topic %s", topic),
		"%s %s of topic %s, which fills it", id, what, topic)
}

// needed refuses what a pipeline fills or reads.
func (p *Pipelines) needed(id table.Ident) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, d := range p.defs {
		if d.Into == id {
			hint := fmt.Sprintf("DROP PIPELINE %s ends it and leaves the table, DROP MATERIALIZED VIEW %s takes the table along", d.Name, d.Name)
			if d.Replaces != "" {
				hint = "DROP PIPELINE " + d.Name + " ends that, and takes the table along"
			}
			return fault.Newf(fault.Denied, hint, "%s is filled by pipeline %s", id, d.Name)
		}
		for _, r := range d.Reads {
			if r.Mirror == id {
				return fault.Newf(fault.Denied, "DROP PIPELINE "+d.Name+" first", "%s is read by pipeline %s", id, d.Name)
			}
		}
	}
	return nil
}
