package sampledata

import (
	"fmt"
	"strconv"
)

// register fills the tables that hardly change.
func (w *world) register() error {
	if err := eachLine("ports.csv", func(c []string) error {
		p := &port{locode: c[0], name: c[1], country: c[2], timezone: text(c[5])}
		if err := number(c[3], &p.latitude); err != nil {
			return err
		}
		w.ports.add(p)
		return number(c[4], &p.longitude)
	}); err != nil {
		return err
	}
	if err := eachLine("vessels.csv", func(c []string) (err error) {
		v := &vessel{name: c[1], flag: c[2], service: c[3]}
		if v.imo, err = strconv.ParseInt(c[0], 10, 64); err != nil {
			return err
		}
		if v.teuCapacity, err = strconv.ParseInt(c[4], 10, 64); err != nil {
			return err
		}
		w.vessels.add(v)
		return number(c[5], &v.lengthM)
	}); err != nil {
		return err
	}
	for i, t := range terminals {
		for n := range 3 - i {
			w.gates.add(&gate{fmt.Sprintf("%s-G%d", t.berths[0][:2], n+1), t.port, int64(4 - n)})
		}
	}
	for n := range fleet {
		hauliers := []string{"Atlas Trans", "Rif Cargo", "Estrecho Log", "Sebou Haulage", "Tarik Express"}
		w.trucks.add(&truck{fmt.Sprintf("%05d-A-%d", 10007+n*613, 40+n%7), hauliers[n%len(hauliers)]})
	}
	return nil
}

// eachLine gives each line of a file behind the first, which names the columns.
func eachLine(name string, do func(cells []string) error) error {
	lines, err := readCSV(name)
	if err != nil {
		return err
	}
	for i, line := range lines[1:] {
		if err := do(line); err != nil {
			return fmt.Errorf("%s, line %d: %w", name, i+2, err)
		}
	}
	return nil
}

func number(cell string, to *float64) (err error) {
	*to, err = strconv.ParseFloat(cell, 64)
	return err
}
