package image

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/universe-dcos/universe/internal/problem"
)

// copyGoal copies the jars of a project; the version is pinned, as a plug-in
// decides which files there are.
const copyGoal = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"

// maven lays the run-time dependencies of a project into the layer.
func (m *maker) maven(ctx context.Context) error {
	s := m.layer.Maven
	pom, err := m.layer.readLocal(s.POM)
	if err != nil {
		return err
	}
	if len(pom) > MaxRecipeBytes {
		return problem.New(problem.TooLarge, "%s is larger than %d bytes", s.POM, MaxRecipeBytes)
	}
	dir, err := m.temp("maven")
	if err != nil {
		return err
	}
	// A copy, as Maven writes into the folder of the project.
	file, out := filepath.Join(dir, "pom.xml"), filepath.Join(dir, "jars")
	if err := os.WriteFile(file, pom, 0o644); err != nil {
		return err
	}
	err = m.download(ctx, mvn, "maven "+s.POM, dir, nil, func(*toolError) error { return nil },
		"--quiet", "--batch-mode", "--strict-checksums", "--file", file, copyGoal,
		"-DincludeScope=runtime", "-DoutputDirectory="+out)
	if err != nil {
		return err
	}
	m.progress.set("maven "+s.POM, PhaseUnpack, 0, 0)
	before := len(m.tree.entries)
	if err := m.tree.addFolder(os.DirFS(out), s.To, s.Exclude); err != nil {
		return err
	}
	jars, err := fs.Glob(os.DirFS(out), "*.jar")
	if err != nil {
		return err
	}
	if len(m.tree.entries) == before {
		return problem.New(problem.Invalid, "%s has no run-time dependencies", s.POM)
	}
	m.origins = append(m.origins, fmt.Sprintf("maven %s (%d jars)", s.POM, len(jars)))
	return nil
}
