//go:build duckdb_arrow

package project

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"tarn/embedded/config"
	"tarn/embedded/fault"
	"tarn/embedded/terminal"
	"tarn/sql/client"
)

// CheckCommand is `tarn check`. The tags are kong's.
type CheckCommand struct {
	JSON    bool   `name:"json" help:"Answer as JSON."`
	Offline bool   `help:"Ask no running Tarn."`
	URL     string `help:"Address of the Tarn to ask; found by the data folder otherwise." placeholder:"URL"`
}

// Help is what --help says below the line of usage.
func (CheckCommand) Help() string {
	return `Looks at tarn.yaml, connectors/ and sql/ and says what is wrong, where, and what to write. It changes nothing. Where a Tarn runs it is asked for the tables and topics that the statements name; without one that part is left out, and the last line says so.

    tarn check
    tarn check --project warehouse --offline

It ends with 0 when all is well, or there are warnings alone, and with 5 when there are errors.`
}

// Run checks the project folder that flags name.
func (k *CheckCommand) Run(ctx context.Context, f *config.Flags, out io.Writer, rooms Rooms) error {
	cfg, err := f.Read()
	dir, missing := folder(cfg)
	if missing != nil {
		return errors.Join(err, missing)
	}
	if err != nil && len(config.Check(dir)) == 0 { // else it is a finding
		return err
	}
	var tarn Asker
	var facts Facts
	if !k.Offline {
		c, err := client.New(client.Options{URL: k.URL, Data: cmp.Or(f.Data, cfg.Data), Format: "table"})
		if err == nil {
			facts, err = Look(ctx, c)
		}
		switch {
		case err == nil:
			tarn = c
		case k.URL != "" || fault.CodeOf(err) != fault.Unavailable:
			return err
		}
	}
	seen, err := Check(ctx, dir, rooms, tarn, facts)
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(dir, config.File)); cfg.Project == "" && err != nil {
		seen.Findings = append(seen.Findings, Finding{
			Level: levelWarning, File: config.File, Message: "it is not there: tarn does not take this folder for a project by itself",
			Hint: "make an empty one, or start tarn --project .",
		})
	}
	return k.tell(out, dir, seen)
}

// folder is the project folder: what is set, or this one where it looks like one.
func folder(cfg config.Config) (string, error) {
	dir := cmp.Or(cfg.Project, ".")
	for _, name := range []string{config.File, "sql", "connectors"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return dir, nil
		}
	}
	return "", fault.Newf(fault.NotFound, "name one by --project DIR: it holds tarn.yaml, connectors/ or sql/", "there is no project in %s", dir)
}

func (k *CheckCommand) tell(out io.Writer, dir string, seen Checked) error {
	failed := 0
	for _, f := range seen.Findings {
		if f.Level == levelError {
			failed++
		}
	}
	if k.JSON {
		if err := writeJSON(out, seen); err != nil {
			return err
		}
	} else {
		paint := terminal.PaintOn(out)
		for _, f := range seen.Findings {
			if err := f.write(out, paint); err != nil {
				return err
			}
		}
		_, _ = fmt.Fprintln(out, seen.summary(failed))
	}
	if failed == 0 {
		return nil
	}
	return fault.Wrap(fault.ErrFindings, fault.Invalid, count(failed, "error")+" in project folder "+dir, "")
}

func (c *Checked) summary(failed int) string {
	line := fmt.Sprintf("%s in %s, %s: %s, %s", count(c.Statements, "statement"), count(c.Files, "file"), count(c.Connectors, "connector"),
		count(failed, "error"), count(len(c.Findings)-failed, "warning"))
	switch {
	case c.Unchecked == 0:
	case !c.Online:
		line += "\nno Tarn was asked: the tables that are named in " + count(c.Unchecked, "statement") + " were not looked up"
	default:
		line += "\nthe tables that the project itself is to bring, in " + count(c.Unchecked, "statement") + ", were not looked up"
	}
	return line
}

func writeJSON(out io.Writer, v any) error {
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// ApplyCommand is `tarn apply`. The tags are kong's.
type ApplyCommand struct {
	Yes     bool          `short:"y" help:"Do it without asking."`
	Plan    bool          `name:"plan" help:"Only show what would be done."`
	Drop    []string      `help:"Drop this view, pipeline or source, which the folder no longer has. Nothing else is dropped." placeholder:"NAME"`
	Wait    bool          `help:"Wait until new and altered pipelines have read what there is."`
	Timeout time.Duration `default:"30s" help:"How long to wait for tables and topics that are not there yet."`
	JSON    bool          `name:"json" help:"Answer the plan as JSON; does nothing without --yes."`
	URL     string        `help:"Address of the Tarn, such as http://127.0.0.1:7700; found by the data folder otherwise." placeholder:"URL"`
}

// Help is what --help says below the line of usage.
func (ApplyCommand) Help() string {
	return `Brings the statements of a project folder to a running Tarn. It shows first what would be created, altered and dropped, and asks. What Tarn has and the folder has not is left alone, unless --drop names it.

    tarn apply --plan
    tarn apply --yes --wait
    tarn apply --drop gold.old_report`
}

// Run applies the project folder that flags name.
func (k *ApplyCommand) Run(ctx context.Context, f *config.Flags, out io.Writer) error {
	cfg, err := f.Read()
	if err != nil {
		return err
	}
	dir, err := folder(cfg)
	if err != nil {
		return err
	}
	tarn, err := client.New(client.Options{URL: k.URL, Data: cfg.Data, Format: "table"})
	if err != nil {
		return err
	}
	facts, err := Look(ctx, tarn)
	if err != nil {
		return err
	}
	plan := Plan(dir, Files(dir), facts, k.Drop)
	refused := plan.Refused()
	if !k.JSON {
		err = plan.show(out)
	}
	if err = errors.Join(err, refused); err != nil || k.Plan || k.JSON && !k.Yes || plan.Work() == 0 {
		return errors.Join(k.answer(out, plan, err == nil && k.Yes && !k.Plan), err)
	}
	if err := k.agreed(ctx, out); err != nil {
		return err
	}
	applied, err := k.do(ctx, tarn, out, plan)
	return errors.Join(k.answer(out, plan, applied), err)
}

// answer is the plan as JSON, and whether Tarn has now what it says; nothing where text is told.
func (k *ApplyCommand) answer(out io.Writer, plan Planned, applied bool) error {
	if !k.JSON {
		return nil
	}
	return writeJSON(out, struct {
		Plan    Planned `json:"plan"`
		Applied bool    `json:"applied"`
	}{plan, applied})
}

// do does what the plan says, and tells whether all of it is done, whatever is to be waited for then.
func (k *ApplyCommand) do(ctx context.Context, tarn Asker, out io.Writer, plan Planned) (applied bool, err error) {
	if k.JSON {
		out = io.Discard
	}
	a := &apply{tarn: tarn, out: out, paint: terminal.PaintOn(out), bar: terminal.NewBar(os.Stderr), timeout: k.Timeout}
	defer a.bar.Clear()
	if err := a.run(ctx, plan); err != nil {
		return false, err
	}
	if err := a.connectors(ctx, plan); err != nil {
		return false, err
	}
	if !k.Wait {
		return true, nil
	}
	return true, a.caughtUp(ctx, plan)
}

// agreed asks the person at the terminal.
func (k *ApplyCommand) agreed(ctx context.Context, out io.Writer) error {
	if k.Yes {
		return nil
	}
	yes, asked := terminal.Ask(ctx, out, "apply?")
	switch {
	case !asked:
		return fault.New(fault.Invalid, "nothing was applied: nobody is here to ask", "add --yes, or --plan to only see what would be done")
	case ctx.Err() != nil:
		return ctx.Err()
	case yes:
		return nil
	}
	return fault.New(fault.Canceled, "nothing was applied", "")
}
