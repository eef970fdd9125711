package record_test

import (
	"testing"

	"tarn/embedded/record"
)

// TestPast tells a mirror's past of the marks that it has seen, also of those that are told again.
func TestPast(t *testing.T) {
	type step struct {
		end        bool
		generation int64
		offset     int64
	}
	for name, c := range map[string]struct {
		steps []step
		whole *record.Since
	}{
		"a snapshot":                     {[]step{{false, 2, 5}, {true, 2, 0}}, &record.Since{Generation: 2, Offset: 5, Records: 2}},
		"its end is told again":          {[]step{{false, 2, 5}, {true, 2, 0}, {true, 2, 0}}, &record.Since{Generation: 2, Offset: 5, Records: 3}},
		"its begin, too":                 {[]step{{false, 2, 5}, {true, 2, 0}, {false, 2, 9}, {true, 2, 0}}, &record.Since{Generation: 2, Offset: 5, Records: 4}},
		"its end, while another goes on": {[]step{{false, 2, 5}, {true, 2, 0}, {false, 3, 9}, {true, 2, 0}}, &record.Since{Generation: 2, Offset: 5, Records: 4}},
		"the next snapshot":              {[]step{{false, 2, 5}, {true, 2, 0}, {false, 3, 9}, {true, 3, 0}}, &record.Since{Generation: 3, Offset: 9, Records: 2}},
		"an end without a begin":         {[]step{{false, 2, 5}, {true, 2, 0}, {true, 3, 0}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			p := &record.Past{}
			for _, s := range c.steps {
				if s.end {
					p.End(s.generation)
				} else {
					p.Begin(s.generation, s.offset)
				}
				p.Add()
			}
			if p.Whole != c.whole && (p.Whole == nil || c.whole == nil || *p.Whole != *c.whole) {
				t.Fatalf("whole since %+v, want %+v", p.Whole, c.whole)
			}
		})
	}
}
