package config

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
)

// Flags are the settings as the command line takes them: two have a flag of their own, any
// other is --set key=value. The tags are kong's.
type Flags struct {
	Data    string            `help:"Data folder (default ./tarn-data)." placeholder:"DIR"`
	Project string            `help:"Project folder (default . when it holds tarn.yaml)." placeholder:"DIR"`
	Set     map[string]string `help:"Any setting, such as --set bus.fsync=interval." placeholder:"KEY=VALUE"`
}

// Read is the package's Read with these flags, more of them, and this process's variables.
func (f *Flags) Read(more ...Flag) (Config, error) {
	var flags []Flag
	for key, value := range f.Set {
		flags = append(flags, Flag{key, value})
	}
	for _, given := range append(more, Flag{"data", f.Data}, Flag{"project", f.Project}) {
		if given.Value != "" {
			flags = append(flags, given)
		}
	}
	return Read(os.Environ(), flags)
}

// Show is `tarn config`: each setting in force and where it came from.
type Show struct {
	JSON bool `name:"json" help:"Answer as JSON, with what each setting is for."`
}

// Help is what --help says below the line of usage.
func (Show) Help() string {
	return `A setting comes from its default, tarn.yaml, a variable TARN_… or a flag; the last of them wins.

    tarn config
    TARN_LOG_LEVEL=debug tarn config
    tarn config --set memory=2GB`
}

// Run writes the settings.
func (s *Show) Run(f *Flags, out io.Writer) error {
	c, err := f.Read()
	if err != nil {
		return err
	}
	if s.JSON {
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		return enc.Encode(c.Lines())
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, l := range c.Lines() {
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\n", l.Key, l.Value, l.Origin)
	}
	return w.Flush()
}

// Version is that of the program.
type Version string

// ShowVersion is the command that prints it.
type ShowVersion struct{}

// Run prints the version.
func (*ShowVersion) Run(v Version, out io.Writer) error {
	_, err := fmt.Fprintln(out, "tarn", v)
	return err
}
