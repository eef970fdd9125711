// Package repair is the contract of `tarn repair`: each part of a stopped data folder looks
// at its own files, tells what is damaged and what would be done, and does it when told
// to. This package renders what they tell. It knows no part and opens no file.
package repair

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"tarn/embedded/fault"
	"tarn/embedded/terminal"
)

// Order is what a user asks for.
type Order struct {
	Yes  bool // do it; else nothing in the folder changes
	Deep bool // decode every file, also those that look whole
	// Progress is told how many of all things were looked at, and which is now; nil for nobody.
	Progress func(what string, done, all int64)
}

// At tells of progress where somebody listens.
func (o Order) At(what string, done, all int) {
	if o.Progress != nil {
		o.Progress(what, int64(done), int64(all))
	}
}

// Damage is one file that is not what it was.
type Damage struct {
	File    string `json:"file"` // from the data folder on
	Problem string `json:"problem"`
}

// Finding is one thing, such as a table, with what ails it and the one action that mends it.
type Finding struct {
	Part   string   `json:"part"` // "lake", "bus", "meta"
	Of     string   `json:"of"`   // the table, the topic, the file
	Damage []Damage `json:"damage"`
	Action string   `json:"action,omitempty"` // what --yes does; "" when Tarn can do nothing
	Loss   string   `json:"loss,omitempty"`   // what is lost by it; "" when nothing is
	Hint   string   `json:"hint,omitempty"`   // what a person is to do, beside it or instead
	Done   bool     `json:"done"`
}

// Part looks at one part of the folder. With Order.Yes it does what its findings say, so that
// each has Done; what it did before an error stays done, and it can be called again.
type Part func(ctx context.Context, o Order) ([]Finding, error)

// Command is `tarn repair`. The tags are kong's.
type Command struct {
	Yes  bool `help:"Do it. Without it nothing changes."`
	Deep bool `help:"Read every file to its end, also those that look whole."`
	JSON bool `name:"json" help:"Answer as JSON."`
}

// Help is what --help says below the line of usage.
func (Command) Help() string {
	return `Stop Tarn first. Without --yes it only tells what it found, what it would do and what would be lost by it.

    tarn repair
    tarn repair --deep
    tarn repair --yes

It ends with 0 when all is whole, or was mended, and with 5 when something is left to mend.`
}

// Run asks each part in turn and tells what they found. The error is fault.ErrFindings when
// something is left to do.
func (c *Command) Run(ctx context.Context, out io.Writer, parts ...Part) error {
	all := []Finding{}
	var failed error
	bar := terminal.NewBar(os.Stderr)
	for _, part := range parts {
		found, err := part(ctx, Order{Yes: c.Yes, Deep: c.Deep, Progress: bar.Set})
		all = append(all, found...)
		if err != nil {
			failed = err
			break // what follows may rest on it
		}
	}
	bar.Clear()
	if err := c.tell(out, all); err != nil {
		return err
	}
	if failed != nil {
		return failed
	}
	return left(all)
}

func (c *Command) tell(out io.Writer, all []Finding) error {
	if c.JSON {
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		return enc.Encode(struct {
			Findings []Finding `json:"findings"`
		}{all})
	}
	if len(all) == 0 {
		_, err := fmt.Fprintln(out, "all is whole")
		return err
	}
	for _, f := range all {
		_, _ = fmt.Fprintf(out, "%s %s\n", f.Part, f.Of)
		for _, d := range f.Damage {
			_, _ = fmt.Fprintf(out, "  %s: %s\n", d.File, d.Problem)
		}
		said := "would: "
		if f.Done {
			said = "done:  "
		}
		for _, line := range [][2]string{{said, f.Action}, {"lost:  ", f.Loss}, {"hint:  ", f.Hint}} {
			if line[1] != "" {
				_, _ = fmt.Fprintf(out, "  %s%s\n", line[0], line[1])
			}
		}
	}
	return nil
}

// left is the error that tells of findings that are not done.
func left(all []Finding) error {
	open, able := 0, 0
	for _, f := range all {
		if !f.Done {
			open++
			if f.Action != "" {
				able++
			}
		}
	}
	switch {
	case open == 0:
		return nil
	case able == 0:
		return fault.Wrap(fault.ErrFindings, fault.Damaged, fmt.Sprintf("%d found that Tarn cannot mend", open), "the lines above say what to do")
	}
	return fault.Wrap(fault.ErrFindings, fault.Damaged, fmt.Sprintf("%d found, and nothing was changed", open),
		"`tarn repair --yes` does what the lines above say; copy the data folder first if you can")
}
