package api

import (
	"net/http"
	"strconv"

	"github.com/universe-dcos/universe/catalog/plan"
	"github.com/universe-dcos/universe/internal/auth"
	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/cluster"
)

func (s *Server) plan(c call) error {
	var req plan.Request
	if err := c.decode(&req); err != nil {
		return err
	}
	p, err := s.planner.Plan(c.r.Context(), req)
	if err != nil {
		return err
	}
	return c.reply(http.StatusOK, p)
}

func (s *Server) install(c call) error {
	var req InstallRequest
	if err := c.decode(&req); err != nil {
		return err
	}
	if req.Request.Kind == plan.KindUninstall { // takes the right that DELETE takes
		object := auth.Object{Kind: "installation", ID: string(req.Request.ServiceID)}
		if err := s.authorizer.Authorize(c.r.Context(), c.who, auth.Delete, object); err != nil {
			return err
		}
	}
	p, err := s.planner.Apply(c.r.Context(), c.who.Name, req.Request, req.PlanDigest)
	if err != nil {
		return err
	}
	for _, st := range p.Steps {
		if st.Action == plan.ActionInstall && !st.Auto {
			c.w.Header().Set("Location", "/v1/installations/"+string(st.ServiceID))
		}
	}
	return c.reply(http.StatusAccepted, p)
}

func (s *Server) installations(c call) error {
	list, err := s.planner.Installations(c.r.Context())
	if err != nil {
		return err
	}
	return c.reply(http.StatusOK, Installations{Items: list})
}

func (c call) id() cluster.ServiceID { return cluster.ServiceID(c.r.PathValue("id")) }

func (s *Server) installation(c call) error {
	inst, err := s.planner.Installation(c.r.Context(), c.id())
	if err != nil {
		return err
	}
	return c.reply(http.StatusOK, inst)
}

func (s *Server) remove(c call) error {
	force := false
	if v := c.r.URL.Query().Get("force"); v != "" {
		var err error
		if force, err = strconv.ParseBool(v); err != nil {
			return problem.New(problem.Invalid, "force=%q: want true or false", v)
		}
	}
	out, err := s.planner.Remove(c.r.Context(), c.who.Name, c.id(), force)
	if err != nil {
		return err
	}
	return c.reply(http.StatusAccepted, out)
}

func (s *Server) actions(c call) error {
	list, err := s.planner.Actions(c.r.Context(), c.id())
	if err != nil {
		return err
	}
	return c.reply(http.StatusOK, Actions{Items: list})
}

func (s *Server) run(c call) error {
	var req ActionRequest
	if err := c.decode(&req); err != nil {
		return err
	}
	run, err := s.planner.RunAction(c.r.Context(), c.who.Name, c.id(), req.Words, req.Args)
	if err != nil {
		return err
	}
	c.w.Header().Set("Location", "/v1/runs/"+string(run.ID))
	return c.reply(http.StatusAccepted, Run{ID: run.ID, Service: run.Service, Name: run.Name})
}
