//go:build duckdb_arrow

package project

import (
	"context"
	"fmt"
	"io"
	"path/filepath"

	"tarn/embedded/config"
	"tarn/embedded/fault"
	"tarn/embedded/terminal"
)

// CheckSource is `tarn sources check`. The tags are kong's.
type CheckSource struct {
	File string `arg:"" help:"A connector's file, as Kafka Connect takes it."`
	JSON bool   `name:"json" help:"Answer as JSON."`
}

// Help is what --help says below the line of usage.
func (CheckSource) Help() string {
	return `Looks at the file and at the database that it names, and says what is wrong and what else to know, with the statement that mends it. It changes nothing, and asks no running Tarn. Relative paths in the file start at the project folder: --project, or else the folder above connectors/, or else that of the file.

    tarn sources check connectors/shop.json

It ends with 0 when all is well, or there are warnings alone, and with 5 when there are errors. CHECK CONNECTOR says the same of a source that runs.`
}

// Run checks one file.
func (k *CheckSource) Run(ctx context.Context, f *config.Flags, out io.Writer, rooms Rooms) error {
	cfg, err := f.Read()
	if err != nil {
		return err
	}
	folder := cfg.Project
	if folder == "" {
		if folder = filepath.Dir(k.File); filepath.Base(folder) == "connectors" {
			folder = filepath.Dir(folder)
		}
	}
	if folder, err = filepath.Abs(folder); err != nil {
		return fault.Wrap(err, fault.Invalid, "find the project folder", "name it by --project DIR")
	}
	found := rooms.Connector(ctx, k.File, folder)
	failed := 0
	for _, one := range found {
		if one.Level == levelError {
			failed++
		}
	}
	if k.JSON {
		err = writeJSON(out, found)
	} else {
		err = tellAll(out, found, failed)
	}
	if err != nil || failed == 0 {
		return err
	}
	return fault.Wrap(fault.ErrFindings, fault.Invalid, count(failed, "error")+" in "+k.File, "")
}

func tellAll(out io.Writer, found []Finding, failed int) error {
	paint := terminal.PaintOn(out)
	for _, one := range found {
		if err := one.write(out, paint); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(out, "%s, %s\n", count(failed, "error"), count(len(found)-failed, "warning"))
	return err
}
