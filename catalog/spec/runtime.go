package spec

import (
	"errors"
	"strconv"
	"strings"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/service"
)

// checkRuntime asks the runtime whether it would take the service: so a package
// with instances that wait for each other, say, is never packed.
func (p *Package) checkRuntime(s cluster.ServiceSpec, f *faults) {
	var wrong *service.InvalidError
	if err := service.Validate(s); !errors.As(err, &wrong) {
		if err != nil {
			f.at(pos{file: FileService}, "%v", err)
		}
		return
	}
	for _, w := range wrong.Faults {
		f.at(p.placeOf(w.Pointer, len(s.Pods)), "%s %s", w.Pointer, w.Message)
	}
}

// placeOf finds the pod in the file that a JSON pointer into the rendered
// service is about, or gives the file.
func (p *Package) placeOf(pointer string, pods int) pos {
	whole := pos{file: FileService}
	rest, ok := strings.CutPrefix(pointer, "/pods/")
	if !ok {
		return whole
	}
	num, _, _ := strings.Cut(rest, "/")
	i, err := strconv.Atoi(num)
	for _, fl := range p.service.fields {
		if fl.key == "pods" && err == nil && i >= 0 && i < len(fl.val.items) && len(fl.val.items) == pods {
			return fl.val.items[i].pos
		}
	}
	return whole
}
