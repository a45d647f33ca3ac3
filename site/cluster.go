package site

import (
	"net/http"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/service"
)

type servicesPage struct {
	head
	Services []service.Status
}

func (s *site) services(r *http.Request) (string, any, error) {
	list, err := s.cfg.Cluster.Services(r.Context())
	return "services", servicesPage{s.head("Services", "services"), list}, err
}

type servicePage struct {
	head
	Service service.Status
}

func (s *site) service(r *http.Request) (string, any, error) {
	st, err := s.cfg.Cluster.Service(r.Context(), cluster.ServiceID(r.PathValue("id")))
	return "service", servicePage{s.head(string(st.ID), "services"), st}, err
}

type nodesPage struct {
	head
	Agents []core.Agent
}

func (s *site) nodes(r *http.Request) (string, any, error) {
	list, err := s.cfg.Cluster.Agents(r.Context())
	return "nodes", nodesPage{s.head("Nodes", "nodes"), list}, err
}
