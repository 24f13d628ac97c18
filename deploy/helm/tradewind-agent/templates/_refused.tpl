{{- /* What the schema cannot say in a sentence: the remedy. */}}
{{- define "agent.refused" -}}
{{- $values := .Values }}
{{- $renamed := dict "imagePullSecrets" "image.pullSecrets" "persistence" "podDefaults.state, or standalone.state" "resources" "podDefaults.resources" "terminationGracePeriodSeconds" "podDefaults.terminationGracePeriodSeconds" "serviceAccount" "podDefaults.serviceAccount" "podSecurityContext" "podDefaults.podSecurityContext" "securityContext" "podDefaults.securityContext" "podAnnotations" "podDefaults.podAnnotations" "podLabels" "podDefaults.podLabels" "nodeSelector" "podDefaults.nodeSelector" "tolerations" "podDefaults.tolerations" "affinity" "podDefaults.affinity" "volumes" "podDefaults.volumes" "volumeMounts" "podDefaults.volumeMounts" }}
{{- range $old, $new := $renamed }}{{- if hasKey $values $old }}{{ fail (printf "%s is now %s: see docs/how-to/kubernetes.md, \"From one agent to several\"" $old $new) }}{{ end }}{{- end }}
{{- if not $values.planeUrl }}{{ fail "planeUrl is empty: set it to the address of the plane's API server, with its path prefix if it has one" }}{{ end }}
{{- if not ($values.token | default dict).existingSecret }}{{ fail "token.existingSecret is empty: put the agent token into a Secret (kubectl create secret generic my-site-token --from-file=token=/dev/stdin) and name it here; the token is never a value" }}{{ end }}
{{- if not ($values.image | default dict).repository }}{{ fail "image.repository is empty: name an image with your packages; docs/how-to/images.md builds one" }}{{ end }}
{{- if kindIs "slice" $values.workers }}{{ fail "workers is a map by name, not a list: `workers: {default: {queues: [default]}}`" }}{{ end }}
{{- if contains "@" (($values.proxy | default dict).url | default "") }}{{ fail "proxy.url holds a password, which would be readable in the pod: put the address into a Secret and name it in proxy.existingSecret" }}{{ end }}
{{- range $bundle := $values.bundles }}{{- range $key, $_ := $bundle.kwargs }}{{- if regexMatch "(?i)password|secret|token" $key }}{{ fail (printf "a bundle's kwargs have %q, which would be readable in the pod: name a connection of the site instead (git_conn_id)" $key) }}{{ end }}{{ end }}{{ end }}
{{- with $values.secretsBackend }}{{- range $key, $_ := .kwargs }}{{- if regexMatch "(?i)password|secret_id|secret_key|access_key|(^|_)token$|^key$" $key }}{{ fail (printf "secretsBackend.kwargs has %q, which would be readable in the pod: put all arguments as JSON into a Secret and name it in secretsBackend.existingSecret, or use workload identity" $key) }}{{ end }}{{ end }}{{ end }}
{{- range $name := list "env" }}{{- range $values.env }}{{- if hasPrefix "TRADEWIND_AGENT_" .name }}{{ fail (printf "env has %s, which is a setting: write settings.%s" .name (trimPrefix "TRADEWIND_AGENT_" .name | lower)) }}{{ end }}{{ end }}{{ end }}
{{- include "agent.refusedSettings" (dict "where" "settings" "settings" $values.settings) }}
{{- $parts := dict }}{{- include "agent.collect" (dict "root" . "parts" $parts) }}
{{- if not $parts }}{{ fail "the release has no pods: give it a worker (`workers: {default: {queues: [default]}}`), or `standalone: {enabled: true}`" }}{{ end }}
{{- /* A folder holds the site's key, unless tasks of another user write to it. */}}
{{- $folder := and (hasPrefix "/" ($values.storage | default "")) (not (include "agent.taskUser" .)) }}
{{- range $key, $part := $parts }}
{{- include "agent.refusedSettings" (dict "where" (printf "settings of %s" $key) "settings" $part.cfg.settings) }}
{{- range $part.cfg.env }}{{- if hasPrefix "TRADEWIND_AGENT_" .name }}{{ fail (printf "env of %s has %s, which is a setting: write settings.%s there" $key .name (trimPrefix "TRADEWIND_AGENT_" .name | lower)) }}{{ end }}{{ end }}
{{- $scaling := $part.cfg.autoscaling | default dict }}
{{- if and (eq ($scaling.type | default "none") "keda") (ne ($scaling.source | default "plane") "sentinel") (not ($values.scaler | default dict).existingSecret) }}{{ fail (printf "%s scales with KEDA, and scaler.existingSecret is empty: make a token that reads queue numbers and nothing else (tradewind tokens create --kind scaler), put it into a Secret and name it there" $key) }}{{ end }}
{{- if and (eq ($scaling.type | default "none") "keda") (eq ($scaling.source | default "plane") "sentinel") (not ($values.sentinel | default dict).enabled) }}{{ fail (printf "%s asks the sentinel for the backlog, which is not enabled: set sentinel.enabled" $key) }}{{ end }}
{{- if and (eq ($scaling.type | default "none") "hpa") (not $scaling.metrics) }}{{ fail (printf "%s scales with an HPA, and autoscaling.metrics is empty: CPU says nothing about waiting work; name a metric, or use `type: keda`" $key) }}{{ end }}
{{- if and $part.scaled (lt (int64 $scaling.max) (max 1 (int64 $scaling.min))) }}{{ fail (printf "autoscaling.max of %s is less than min, or zero" $key) }}{{ end }}
{{- if and $part.cfg.environments (or (hasKey (get ($values.workers | default dict) $key | default dict) "queues") (hasKey (get ($values.workers | default dict) $key | default dict) "slots")) }}{{ fail (printf "%s has environments, and queues or slots beside them: each environment has its own" $key) }}{{ end }}
{{- $keeps := and $part.claim (eq $part.component "standalone") }}
{{- if and (eq $part.component "standalone") (gt (int64 $part.most) 1) (not (or ($values.siteKey | default dict).existingSecret $folder (hasKey $part.cfg.settings "site_key_file"))) }}{{ $keeps = false }}{{ end }}
{{- if not (or $keeps ($values.siteKey | default dict).existingSecret (hasKey $part.cfg.settings "site_key_file") $folder) }}{{ fail "siteKey.existingSecret is empty: all agents of the site need one key, which outlives their pods: openssl rand -hex 32 | kubectl create secret generic tradewind-site-key --from-file=site.key=/dev/stdin" }}{{ end }}
{{- $open := or (eq (toString $part.cfg.settings.xcom) "open") (and (not $part.cfg.settings.xcom) (eq (toString $part.cfg.settings.policy) "open")) }}
{{- if not (or (eq $part.component "standalone") $values.storage $open) }}{{ fail "storage is empty: name where XCom values go, `s3://connection@bucket/prefix`, `abfs://…`, `gs://…` or a folder that every pod mounts; or `local`, where the Dags pass no values between tasks" }}{{ end }}
{{- end }}
{{- if and (include "agent.taskUser" .) (include "agent.openshift" .) }}{{ fail "taskUser is enabled, and OpenShift assigns users: set openshift to false where the pods' security context constraint lets root start them (anyuid), or leave taskUser off" }}{{ end }}
{{- $sentinel := $values.sentinel | default dict }}
{{- if and $sentinel.enabled (not $sentinel.existingSecret) }}{{ fail "sentinel.existingSecret is empty: make a token of its own kind (tradewind tokens create --kind sentinel), put it into a Secret and name it there" }}{{ end }}
{{- $shipper := $values.logShipper | default dict }}
{{- if and $shipper.enabled (not $shipper.image) }}{{ fail "logShipper.image is empty: name the image of the program that ships task logs" }}{{ end }}
{{- end }}

{{- /* What is a value of its own, or a secret, is no setting. */}}
{{- define "agent.refusedSettings" -}}
{{- $where := .where }}
{{- range $name, $instead := dict
  "plane_url" "the value planeUrl" "token" "a Secret, named in token.existingSecret" "token_file" "a Secret, named in token.existingSecret"
  "state_dir" "set by the chart" "metrics_host" "set by the chart" "metrics_port" "set by the chart"
  "proxy" "a Secret, named in proxy.existingSecret: it may hold a password and would be readable in the pod"
  "traces_headers" "a Secret, named in traces.existingSecret: it may hold a credential and would be readable in the pod"
  "traces_endpoint" "the value traces.endpoint" "bundles" "the value bundles, beside settings: a list of {name, classpath, kwargs}"
  "storage" "the value storage" "queues" "workers.<name>.queues" "slots" "workers.<name>.slots" "environments" "workers.<name>.environments"
  "components" "which of workers, dagProcessor and triggerer are enabled" "trigger_capacity" "triggerer.capacity"
  "grace" "podDefaults.terminationGracePeriodSeconds, less 60" "ca_file" "the value ca" "client_cert" "the value clientCertificate"
  "client_key" "the value clientCertificate" "upload_logs_every" "the value logs.uploadEvery"
  "run_as" "the value taskUser" "user" "the value taskUser" }}
{{- if hasKey ($.settings | default dict) $name }}{{ fail (printf "%s.%s is %s" $where $name $instead) }}{{ end }}
{{- end }}
{{- end }}
