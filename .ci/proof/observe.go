package proof

import (
	"context"
	"fmt"
)

// Observed is what a Tarn showed at a moment: nothing of it may be gone after that.
type Observed struct {
	bronze map[string][]int64 // per table: newest offset, then counts and sums up to it
	silver map[string]int64   // per table: newest offset
	topics map[string]int64   // per topic: next offset
}

const bronzeSums = "SELECT coalesce(max(_offset), -1), count(*), coalesce(sum(_offset), 0), coalesce(sum(length(before)), 0), coalesce(sum(length(after)), 0) FROM bronze.%s_main_%s%s"

// Observe asks a running Tarn; a table that is not there yet shows nothing.
func (s *Scene) Observe(ctx context.Context, p *Process) (*Observed, error) {
	o := &Observed{bronze: map[string][]int64{}, silver: map[string]int64{}, topics: map[string]int64{}}
	a, err := p.SQL(ctx, "SELECT name, next_offset FROM system.topics")
	if err != nil {
		return nil, err
	}
	for _, row := range a.Rows {
		var next int64
		if _, err := fmt.Sscan(fmt.Sprint(row[1]), &next); err != nil {
			return nil, err
		}
		o.topics[fmt.Sprint(row[0])] = next
	}
	there, err := p.SQL(ctx, "SELECT layer, name FROM system.tables")
	if err != nil {
		return nil, err
	}
	has := map[string]bool{}
	for _, row := range there.Rows {
		has[fmt.Sprintf("%s.%s", row[0], row[1])] = true
	}
	for _, t := range s.Tables {
		if has["bronze."+Prefix+"_main_"+t.Name] {
			if o.bronze[t.Name], err = p.Numbers(ctx, fmt.Sprintf(bronzeSums, Prefix, t.Name, "")); err != nil {
				return nil, err
			}
		}
		if has["silver."+t.Name] {
			newest, err := p.Numbers(ctx, "SELECT coalesce(max(_offset), -1) FROM silver."+t.Name)
			if err != nil {
				return nil, err
			}
			o.silver[t.Name] = newest[0]
		}
	}
	return o, nil
}

// StillThere holds a Tarn that has not read its source again against what one showed before.
func (s *Scene) StillThere(ctx context.Context, p *Process, o *Observed) ([]string, error) {
	f := &Findings{What: "after the cut"}
	now, err := s.Observe(ctx, p)
	if err != nil {
		return nil, err
	}
	for topic, next := range o.topics {
		if now.topics[topic] < next {
			f.add("topic %s ends at %d, it was acknowledged up to %d", topic, now.topics[topic], next)
		}
	}
	for table, was := range o.bronze {
		if was[0] < 0 {
			continue
		}
		is, err := p.Numbers(ctx, fmt.Sprintf(bronzeSums, Prefix, table, fmt.Sprintf(" WHERE _offset <= %d", was[0])))
		if err != nil {
			return nil, err
		}
		if fmt.Sprint(is) != fmt.Sprint(was) {
			f.add("bronze of %s shows %v, it was %v (newest offset, rows, sums)", table, is, was)
		}
	}
	for table := range o.silver {
		if _, ok := now.silver[table]; !ok {
			f.add("silver.%s is gone", table)
		}
	}
	return f.All, nil
}
