package archtest

import (
	"bufio"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	maxFunction = 70  // lines of a function, its braces included
	maxFile     = 800 // lines of a file
)

// source is one parsed file of the module.
type source struct {
	path  string // slash-separated, from the root
	file  *ast.File
	fset  *token.FileSet
	lines int
}

func (s source) line(p token.Pos) int { return s.fset.Position(p).Line }

// sources parses every Go file of the module, tests included.
func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	fset := token.NewFileSet()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		if d.IsDir() {
			if name := d.Name(); rel != "." && (strings.HasPrefix(name, ".") || name == "testdata") {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		f, err := parser.ParseFile(fset, path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		all = append(all, source{filepath.ToSlash(rel), f, fset, fset.Position(f.End()).Line})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 50 {
		t.Fatalf("found %d files: the rules would pass on nothing", len(all))
	}
	return all
}

func isTest(path string) bool { return strings.HasSuffix(path, "_test.go") }

// ratchet reads testdata/<name>: the offenders of today, one a line. It may only shrink.
func ratchet(t *testing.T, name string) map[string]bool {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	allowed := map[string]bool{}
	for sc := bufio.NewScanner(f); sc.Scan(); {
		if line := strings.TrimSpace(sc.Text()); line != "" && !strings.HasPrefix(line, "#") {
			allowed[line] = true
		}
	}
	return allowed
}

func TestLengths(t *testing.T) {
	allowed := ratchet(t, "too-long.txt")
	seen := map[string]bool{}
	report := func(key, format string, args ...any) {
		seen[key] = true
		if !allowed[key] {
			t.Errorf(format, args...)
		}
	}
	for _, s := range sources(t) {
		if s.lines > maxFile {
			report(s.path, "%s has %d lines, the limit is %d: divide it by noun", s.path, s.lines, maxFile)
		}
		for _, d := range s.file.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Body == nil {
				continue
			}
			if n := s.line(fn.End()) - s.line(fn.Pos()) + 1; n > maxFunction {
				report(s.path+":"+fn.Name.Name, "%s:%d: %s has %d lines, the limit is %d", s.path, s.line(fn.Pos()), fn.Name.Name, n, maxFunction)
			}
		}
	}
	for key := range allowed {
		if !seen[key] {
			t.Errorf("testdata/too-long.txt names %s, which is short enough now: take the line out", key)
		}
	}
}

func TestPackageDocs(t *testing.T) {
	docs := map[string]int{}
	for _, s := range sources(t) {
		if isTest(s.path) {
			continue
		}
		dir := filepath.ToSlash(filepath.Dir(s.path))
		docs[dir] += 0
		if s.file.Doc != nil && strings.HasPrefix(s.file.Doc.Text(), "Package ") || s.file.Doc != nil && s.file.Name.Name == "main" {
			docs[dir]++
		}
	}
	for dir, n := range docs {
		if n != 1 {
			t.Errorf("%s has %d package comments, want exactly one", dir, n)
		}
	}
}

func TestExportsDocumented(t *testing.T) {
	for _, s := range sources(t) {
		if isTest(s.path) || s.file.Name.Name == "main" {
			continue
		}
		for _, d := range s.file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && d.Doc == nil && exportedReceiver(d) {
					t.Errorf("%s:%d: %s has no comment", s.path, s.line(d.Pos()), d.Name.Name)
				}
			case *ast.GenDecl:
				undocumented(t, s, d)
			}
		}
	}
}

// exportedReceiver reports whether a method is reachable by name from outside.
func exportedReceiver(fn *ast.FuncDecl) bool {
	if fn.Recv == nil || len(fn.Recv.List) == 0 {
		return true
	}
	typ := fn.Recv.List[0].Type
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	if gen, ok := typ.(*ast.IndexExpr); ok {
		typ = gen.X
	}
	id, ok := typ.(*ast.Ident)
	return !ok || id.IsExported()
}

func undocumented(t *testing.T, s source, d *ast.GenDecl) {
	for _, spec := range d.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			if spec.Name.IsExported() && d.Doc == nil && spec.Doc == nil {
				t.Errorf("%s:%d: type %s has no comment", s.path, s.line(spec.Pos()), spec.Name.Name)
			}
		case *ast.ValueSpec:
			// A group's comment speaks for its members.
			if spec.Names[0].IsExported() && d.Doc == nil && spec.Doc == nil && spec.Comment == nil {
				t.Errorf("%s:%d: %s has no comment", s.path, s.line(spec.Pos()), spec.Names[0].Name)
			}
		}
	}
}

// calls lists the selector calls (pkg.Func) of a file by the imported path.
func calls(s source, visit func(path, name string, at token.Pos)) {
	imports := map[string]string{}
	for _, imp := range s.file.Imports {
		path := strings.Trim(imp.Path.Value, `"`)
		name := path[strings.LastIndex(path, "/")+1:]
		if name == "v2" || name == "v3" {
			name = filepath.Base(filepath.Dir(path))
		}
		if imp.Name != nil {
			name = imp.Name.Name
		}
		imports[name] = path
	}
	ast.Inspect(s.file, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if id, ok := sel.X.(*ast.Ident); ok && imports[id.Name] != "" {
				visit(imports[id.Name], sel.Sel.Name, sel.Pos())
			}
		}
		return true
	})
}

func TestNoSleepInTests(t *testing.T) {
	for _, s := range sources(t) {
		if !isTest(s.path) && !strings.HasSuffix(filepath.Dir(s.path), "test") {
			continue
		}
		calls(s, func(path, name string, at token.Pos) {
			if path == "time" && name == "Sleep" {
				t.Errorf("%s:%d: time.Sleep in a test: wait for the event itself, or use testing/synctest", s.path, s.line(at))
			}
		})
	}
}

func TestPureCode(t *testing.T) {
	banned := map[string]string{"time.Now": "time is passed in", "time.Sleep": "time is passed in", "time.Since": "time is passed in",
		"time.After": "time is passed in", "time.NewTimer": "time is passed in", "time.NewTicker": "time is passed in", "time.AfterFunc": "time is passed in"}
	for _, s := range sources(t) {
		if isTest(s.path) || !under(filepath.ToSlash(filepath.Dir(s.path)), pure...) {
			continue
		}
		calls(s, func(path, name string, at token.Pos) {
			if why, ok := banned[path+"."+name]; ok {
				t.Errorf("%s:%d: %s.%s in pure code: %s", s.path, s.line(at), path, name, why)
			}
			if path == "math/rand" || path == "crypto/rand" {
				t.Errorf("%s:%d: %s in pure code: seeds are passed in", s.path, s.line(at), path)
			}
		})
		ast.Inspect(s.file, func(n ast.Node) bool {
			if g, ok := n.(*ast.GoStmt); ok {
				t.Errorf("%s:%d: a goroutine in pure code: the order of its work would not be repeatable", s.path, s.line(g.Pos()))
			}
			return true
		})
	}
}
