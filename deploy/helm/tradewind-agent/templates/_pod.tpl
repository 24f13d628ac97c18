{{- /* The environment of an agent's container: takes (dict "root" $ "part" part "parts" parts). */}}
{{- define "agent.env" -}}
{{- $values := .root.Values }}{{- $cfg := .part.cfg }}{{- $settings := $cfg.settings }}
- {name: TRADEWIND_AGENT_PLANE_URL, value: {{ $values.planeUrl | quote }}}
- {name: TRADEWIND_AGENT_TOKEN_FILE, value: {{ printf "/run/secrets/tradewind/%s" ($values.token.key | default "token") | quote }}}
- {name: TRADEWIND_AGENT_STATE_DIR, value: /var/lib/tradewind}
- {name: TRADEWIND_AGENT_METRICS_HOST, value: 0.0.0.0}
- {name: TRADEWIND_AGENT_METRICS_PORT, value: "39091"}
{{- if not (hasKey $settings "name") }}
- {name: TRADEWIND_AGENT_NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
{{- end }}
{{- if not (hasKey $settings "group") }}
- {name: TRADEWIND_AGENT_GROUP, value: {{ printf "%s/%s" .root.Release.Name .part.key | quote }}}
{{- end }}
- {name: TRADEWIND_AGENT_GRACE, value: {{ sub (int64 $cfg.terminationGracePeriodSeconds) 60 | quote }}}
- {name: TRADEWIND_AGENT_COMPONENTS, value: {{ join "," .part.components | quote }}}
{{- if has "worker" .part.components }}
{{- if $cfg.environments }}
- {name: TRADEWIND_AGENT_ENVIRONMENTS, value: {{ include "agent.environments" . | quote }}}
{{- else }}
- {name: TRADEWIND_AGENT_QUEUES, value: {{ $cfg.queues | default (list "default") | join "," | quote }}}
- {name: TRADEWIND_AGENT_SLOTS, value: {{ int64 $cfg.slots | quote }}}
{{- end }}
{{- else if $cfg.environments }}
- {name: TRADEWIND_AGENT_ENVIRONMENTS, value: {{ include "agent.environments" . | quote }}}
{{- end }}
{{- if has "triggerer" .part.components }}
- {name: TRADEWIND_AGENT_TRIGGER_CAPACITY, value: {{ int64 $cfg.capacity | quote }}}
{{- /* The queues of the workers, and not trigger_queues, which would leave out triggers that have no queue. */}}
{{- if and (ne .part.component "standalone") (not $cfg.environments) }}
{{- with include "agent.allQueues" .parts }}
- {name: TRADEWIND_AGENT_QUEUES, value: {{ . | quote }}}
{{- end }}
{{- end }}
{{- end }}
- {name: HOME, value: /var/lib/tradewind}
{{- with include "agent.taskUser" .root }}
- {name: TRADEWIND_AGENT_USER, value: {{ $values.taskUser.agent | default "tradewind" | quote }}}
- {name: TRADEWIND_AGENT_RUN_AS, value: {{ . | quote }}}
{{- end }}
{{- if $values.storage | default "" | ne "local" }}{{- with $values.storage }}
- {name: TRADEWIND_AGENT_STORAGE, value: {{ . | quote }}}
{{- end }}{{- end }}
{{- if ($values.siteKey | default dict).existingSecret }}
- {name: TRADEWIND_AGENT_SITE_KEY_FILE, value: {{ printf "/run/secrets/tradewind-site/%s" ($values.siteKey.key | default "site.key") | quote }}}
{{- end }}
{{- with $values.bundles }}
- {name: TRADEWIND_AGENT_BUNDLES, value: {{ toJson . | quote }}}
{{- end }}
{{- with $values.traces | default dict }}
{{- with .endpoint }}
- {name: TRADEWIND_AGENT_TRACES_ENDPOINT, value: {{ . | quote }}}
{{- end }}
{{- if .existingSecret }}
- {name: TRADEWIND_AGENT_TRACES_HEADERS, valueFrom: {secretKeyRef: {name: {{ .existingSecret | quote }}, key: {{ .key | default "headers" | quote }}}}}
{{- end }}
{{- end }}
{{- with $values.ca | default dict }}{{- if or .configMap .secret }}
{{- $file := printf "/etc/tradewind/ca/%s" (.key | default "ca.crt") }}
- {name: TRADEWIND_AGENT_CA_FILE, value: {{ $file | quote }}}
{{- if .alsoForTasks }}
{{- range list "SSL_CERT_FILE" "REQUESTS_CA_BUNDLE" "CURL_CA_BUNDLE" "AWS_CA_BUNDLE" "NODE_EXTRA_CA_CERTS" "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH" }}
- {name: {{ . }}, value: {{ $file | quote }}}
{{- end }}
{{- end }}
{{- end }}{{- end }}
{{- if ($values.clientCertificate | default dict).existingSecret }}
- {name: TRADEWIND_AGENT_CLIENT_CERT, value: /etc/tradewind/client/tls.crt}
- {name: TRADEWIND_AGENT_CLIENT_KEY, value: /etc/tradewind/client/tls.key}
{{- end }}
{{- with $values.proxy | default dict }}{{- if or .url .existingSecret }}
{{- if .existingSecret }}
- {name: TRADEWIND_AGENT_PROXY, valueFrom: {secretKeyRef: {name: {{ .existingSecret | quote }}, key: {{ .key | default "url" | quote }}}}}
{{- else }}
- {name: TRADEWIND_AGENT_PROXY, value: {{ .url | quote }}}
{{- end }}
{{- $direct := concat (list "localhost" "127.0.0.1" ".svc" ".cluster.local" "$(KUBERNETES_SERVICE_HOST)" "169.254.169.254" "169.254.170.23" "metadata.google.internal") (.noProxy | default list) | uniq | join "," }}
{{- if ne .alsoForTasks false }}
{{- range list "HTTP_PROXY" "HTTPS_PROXY" "http_proxy" "https_proxy" }}
- {name: {{ . }}, value: $(TRADEWIND_AGENT_PROXY)}
{{- end }}
{{- range list "NO_PROXY" "no_proxy" }}
- {name: {{ . }}, value: {{ $direct | quote }}}
{{- end }}
{{- end }}
{{- end }}{{- end }}
{{- with $values.secretsBackend | default dict }}{{- if .class }}
- {name: AIRFLOW__SECRETS__BACKEND, value: {{ .class | quote }}}
{{- if .existingSecret }}
- {name: AIRFLOW__SECRETS__BACKEND_KWARGS, valueFrom: {secretKeyRef: {name: {{ .existingSecret | quote }}, key: {{ .key | default "kwargs" | quote }}}}}
{{- else if .kwargs }}
- {name: AIRFLOW__SECRETS__BACKEND_KWARGS, value: {{ toJson .kwargs | quote }}}
{{- end }}
{{- end }}{{- end }}
{{- with $values.logs | default dict }}{{- if .remote }}
- {name: AIRFLOW__LOGGING__REMOTE_LOGGING, value: "True"}
- {name: AIRFLOW__LOGGING__REMOTE_BASE_LOG_FOLDER, value: {{ .remote | quote }}}
{{- with .connection }}
- {name: AIRFLOW__LOGGING__REMOTE_LOG_CONN_ID, value: {{ . | quote }}}
{{- end }}
{{- with .container }}
- {name: AIRFLOW__AZURE_REMOTE_LOGGING__REMOTE_WASB_LOG_CONTAINER, value: {{ . | quote }}}
{{- end }}
{{- if .uploadEvery }}
- {name: TRADEWIND_AGENT_UPLOAD_LOGS_EVERY, value: {{ .uploadEvery | quote }}}
{{- end }}
{{- end }}{{- end }}
{{- with $values.openLineage | default dict }}{{- if .url }}
- {name: OPENLINEAGE_URL, value: {{ .url | quote }}}
{{- with .namespace }}
- {name: AIRFLOW__OPENLINEAGE__NAMESPACE, value: {{ . | quote }}}
{{- end }}
- {name: AIRFLOW__OPENLINEAGE__EXECUTE_IN_THREAD, value: "True"}
- {name: AIRFLOW__OPENLINEAGE__DISABLE_SOURCE_CODE, value: "True"}
{{- if .existingSecret }}
- {name: OPENLINEAGE_API_KEY, valueFrom: {secretKeyRef: {name: {{ .existingSecret | quote }}, key: {{ .key | default "api-key" | quote }}}}}
{{- end }}
{{- end }}{{- end }}
{{- range $name, $value := $settings }}
- {name: {{ printf "TRADEWIND_AGENT_%s" (upper $name) }}, value: {{ kindIs "string" $value | ternary $value (toJson $value) | quote }}}
{{- end }}
{{- with concat ($values.env | default list) $cfg.env }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- /* Task environments, each with the user that its tasks run as. */}}
{{- define "agent.environments" -}}
{{- $given := list }}
{{- range .part.cfg.environments }}{{- $each := deepCopy . }}
{{- if and (include "agent.taskUser" $.root) (not $each.run_as) }}{{ $_ := set $each "run_as" (include "agent.taskUser" $.root) }}{{ end }}
{{- $given = append $given $each }}
{{- end }}
{{- toJson $given }}
{{- end }}

{{- /* The user that tasks run as; empty: the agent's. */}}
{{- define "agent.taskUser" -}}
{{- with .Values.taskUser | default dict }}{{ if .enabled }}{{ .name | default "tradewind-tasks" }}{{ end }}{{ end }}
{{- end }}

{{- /*
User, groups and capabilities; on OpenShift, which assigns them, without numbers. With a user for tasks, volumes of pods that run them
(`tasks`) have no group: the agent reads Secrets by group 0, and tasks are not in it; a sidecar reads task logs by the group of tasks.
*/}}
{{- define "agent.podSecurity" -}}
{{- $context := dict "runAsNonRoot" true "seccompProfile" (dict "type" "RuntimeDefault") }}
{{- if and .tasks (include "agent.taskUser" .root) }}
{{- range $key := list "runAsUser" "runAsGroup" }}{{- $_ := set $context $key 50000 }}{{- end }}
{{- $_ := set $context "supplementalGroups" (list (int64 .root.Values.taskUser.group)) }}
{{- else if not (include "agent.openshift" .root) }}
{{- range $key := list "runAsUser" "runAsGroup" "fsGroup" }}{{- $_ := set $context $key 50000 }}{{- end }}
{{- $_ := set $context "fsGroupChangePolicy" "OnRootMismatch" }}
{{- end }}
{{- include "agent.merge" (dict "into" $context "from" (.given | default dict)) }}
{{- toYaml $context }}
{{- end }}

{{- /* `agent`: the container is an agent's, which root starts where tasks have a user of their own. */}}
{{- define "agent.containerSecurity" -}}
{{- $capabilities := dict "drop" (list "ALL") }}
{{- $context := dict "allowPrivilegeEscalation" false "readOnlyRootFilesystem" true "capabilities" $capabilities }}
{{- if and .agent (include "agent.taskUser" .agent) }}
{{- $_ := set $capabilities "add" (list "CHOWN" "KILL" "SETGID" "SETUID") }}
{{- $_ := set $context "runAsUser" 0 }}{{- $_ := set $context "runAsGroup" 0 }}{{- $_ := set $context "runAsNonRoot" false }}
{{- end }}
{{- include "agent.merge" (dict "into" $context "from" (.given | default dict)) }}
{{- toYaml $context }}
{{- end }}

{{- define "agent.probe" -}}
{{- $probe := .default }}
{{- include "agent.merge" (dict "into" $probe "from" (.given | default dict)) }}
{{- toYaml $probe }}
{{- end }}

{{- /* What an agent's container mounts, and the volumes for it. */}}
{{- define "agent.mounts" -}}
{{- $values := .root.Values }}
- {name: state, mountPath: /var/lib/tradewind}
- {name: token, mountPath: /run/secrets/tradewind, readOnly: true}
- {name: tmp, mountPath: /tmp}
{{- if ($values.siteKey | default dict).existingSecret }}
- {name: site-key, mountPath: /run/secrets/tradewind-site, readOnly: true}
{{- end }}
{{- with $values.ca | default dict }}{{- if or .configMap .secret }}
- {name: ca, mountPath: /etc/tradewind/ca, readOnly: true}
{{- end }}{{- end }}
{{- if ($values.clientCertificate | default dict).existingSecret }}
- {name: client-certificate, mountPath: /etc/tradewind/client, readOnly: true}
{{- end }}
{{- with .part.cfg.volumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- /* `state` is left out where a claim of the StatefulSet is it: takes (dict "root" $ "part" part "state" true). */}}
{{- define "agent.volumes" -}}
{{- $values := .root.Values }}{{- $state := .part.cfg.state | default dict }}
{{- if .state }}{{- if eq ($state.type | default "emptyDir") "ephemeral" }}
- name: state
  ephemeral:
    volumeClaimTemplate:
      spec: {{- include "agent.claim" $state | nindent 8 }}
{{- else if eq ($state.type | default "emptyDir") "emptyDir" }}
- name: state
  emptyDir: {{ with $state.sizeLimit }}{sizeLimit: {{ . | quote }}}{{ else }}{}{{ end }}
{{- end }}{{- end }}
- {name: token, secret: {secretName: {{ $values.token.existingSecret | quote }}, defaultMode: 0440}}
- {name: tmp, emptyDir: {}}
{{- with $values.siteKey | default dict }}{{- if .existingSecret }}
- {name: site-key, secret: {secretName: {{ .existingSecret | quote }}, defaultMode: 0440}}
{{- end }}{{- end }}
{{- with $values.ca | default dict }}{{- if .configMap }}
- {name: ca, configMap: {name: {{ .configMap | quote }}}}
{{- else if .secret }}
- {name: ca, secret: {secretName: {{ .secret | quote }}, defaultMode: 0440}}
{{- end }}{{- end }}
{{- with ($values.clientCertificate | default dict).existingSecret }}
- {name: client-certificate, secret: {secretName: {{ . | quote }}, defaultMode: 0440}}
{{- end }}
{{- with .part.cfg.volumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "agent.claim" -}}
accessModes: [ReadWriteOnce]
{{- with .storageClass }}
storageClassName: {{ . | quote }}
{{- end }}
resources: {requests: {storage: {{ .size | default "2Gi" | quote }}}}
{{- end }}

{{- /* The agent's pod, as `template` of a workload. */}}
{{- define "agent.podTemplate" -}}
{{- $root := .root }}{{- $part := .part }}{{- $cfg := $part.cfg }}{{- $values := $root.Values }}
{{- $shipper := $values.logShipper | default dict }}
metadata:
  labels:
    {{- include "agent.partLabels" . | nindent 4 }}
    {{- with ($cfg.serviceAccount | default dict).podLabels }}{{ toYaml . | nindent 4 }}{{ end }}
    {{- with $cfg.podLabels }}{{ toYaml . | nindent 4 }}{{ end }}
  annotations:
    kubectl.kubernetes.io/default-container: agent
    {{- if eq $cfg.safeToEvict false }}
    cluster-autoscaler.kubernetes.io/safe-to-evict: "false"
    karpenter.sh/do-not-disrupt: "true"
    {{- end }}
    {{- if $shipper.enabled }}
    checksum/log-shipper: {{ toJson $shipper.files | sha256sum }}
    {{- end }}
    {{- with $values.commonAnnotations }}{{ toYaml . | nindent 4 }}{{ end }}
    {{- with $cfg.podAnnotations }}{{ toYaml . | nindent 4 }}{{ end }}
spec:
  serviceAccountName: {{ include "agent.serviceAccount" . }}
  automountServiceAccountToken: {{ $cfg.kubernetesPods | default false }}
  enableServiceLinks: false  # a Service of this name would set TRADEWIND_AGENT_… variables
  terminationGracePeriodSeconds: {{ int64 $cfg.terminationGracePeriodSeconds }}
  securityContext: {{- include "agent.podSecurity" (dict "root" $root "tasks" true "given" $cfg.podSecurityContext) | nindent 4 }}
  {{- include "agent.scheduling" . | nindent 2 }}
  {{- if or $cfg.initContainers (include "agent.taskUser" $root) (and $shipper.enabled (has "worker" $part.components)) }}
  initContainers:
    {{- with include "agent.taskUser" $root }}
    # Also a container of another user than the agent's, without which Kubernetes lets only the agent's read the pod's identity token.
    - name: task-user
      image: {{ include "agent.image" $cfg.image | quote }}
      imagePullPolicy: {{ $cfg.image.pullPolicy | default "IfNotPresent" }}
      args: [sh, -c, {{ printf "id %[1]s || { echo 'taskUser: the image has no user %[1]s' >&2; exit 1; }" . | quote }}]
      resources: {requests: {cpu: 10m, memory: 16Mi}, limits: {memory: 64Mi}}
      securityContext: {{- include "agent.containerSecurity" (dict) | nindent 8 }}
    {{- end }}
    {{- with $cfg.initContainers }}{{ toYaml . | nindent 4 }}{{ end }}
    {{- if and $shipper.enabled (has "worker" $part.components) }}
    - name: log-shipper
      restartPolicy: Always  # a sidecar: it ends after the agent, when the last lines are there
      image: {{ $shipper.image | quote }}
      imagePullPolicy: {{ $shipper.pullPolicy | default "IfNotPresent" }}
      {{- with $shipper.command }}
      command: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $shipper.args }}
      args: {{- toYaml . | nindent 8 }}
      {{- end }}
      env:
        - {name: TRADEWIND_AGENT, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
        {{- with $shipper.env }}{{ toYaml . | nindent 8 }}{{ end }}
      {{- with $shipper.resources }}
      resources: {{- toYaml . | nindent 8 }}
      {{- end }}
      securityContext: {{- include "agent.containerSecurity" (dict) | nindent 8 }}
      volumeMounts:
        - {name: state, mountPath: /var/lib/tradewind, readOnly: true}
        - {name: log-shipper-files, mountPath: /etc/log-shipper, readOnly: true}
        - {name: log-shipper-state, mountPath: /var/lib/log-shipper}
    {{- end }}
  {{- end }}
  containers:
    - name: agent
      image: {{ include "agent.image" $cfg.image | quote }}
      imagePullPolicy: {{ $cfg.image.pullPolicy | default "IfNotPresent" }}
      args: [tradewind-agent, run]  # not command: the image's entrypoint, an init, stays in front
      env: {{- include "agent.env" . | nindent 8 }}
      {{- with concat ($values.envFrom | default list) $cfg.envFrom }}
      envFrom: {{- toYaml . | nindent 8 }}
      {{- end }}
      ports:
        - {name: metrics, containerPort: 39091}
      {{- $probes := $cfg.probes | default dict }}
      startupProbe: {{- include "agent.probe" (dict "given" $probes.startup "default" (dict "httpGet" (dict "path" "/healthz" "port" "metrics") "periodSeconds" 2 "timeoutSeconds" 5 "failureThreshold" 300)) | nindent 8 }}
      livenessProbe: {{- include "agent.probe" (dict "given" $probes.liveness "default" (dict "httpGet" (dict "path" "/healthz" "port" "metrics") "periodSeconds" 20 "timeoutSeconds" 10)) | nindent 8 }}
      readinessProbe: {{- include "agent.probe" (dict "given" $probes.readiness "default" (dict "httpGet" (dict "path" "/readyz" "port" "metrics") "periodSeconds" 10 "timeoutSeconds" 5)) | nindent 8 }}
      {{- with $cfg.lifecycle }}
      lifecycle: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $cfg.resources }}
      resources: {{- toYaml . | nindent 8 }}
      {{- end }}
      securityContext: {{- include "agent.containerSecurity" (dict "agent" $root "given" $cfg.securityContext) | nindent 8 }}
      volumeMounts: {{- include "agent.mounts" . | nindent 8 }}
    {{- with $cfg.extraContainers }}{{ toYaml . | nindent 4 }}{{ end }}
  volumes:
    {{- include "agent.volumes" (dict "root" $root "part" $part "state" true) | nindent 4 }}
    {{- if and $shipper.enabled (has "worker" $part.components) }}
    - {name: log-shipper-files, configMap: {name: {{ include "agent.partName" (dict "root" $root "part" "log-shipper") }}}}
    - {name: log-shipper-state, emptyDir: {}}
    {{- end }}
{{- end }}

{{- /* Where a pod may run, and how it finds names. */}}
{{- define "agent.scheduling" -}}
{{- $cfg := .part.cfg }}
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- range $key := list "priorityClassName" "runtimeClassName" "schedulerName" "dnsPolicy" }}{{- with get $cfg $key }}
{{ $key }}: {{ . | quote }}
{{- end }}{{- end }}
{{- range $key := list "nodeSelector" "tolerations" "affinity" "hostAliases" "dnsConfig" }}{{- with get $cfg $key }}
{{ $key }}: {{- toYaml . | nindent 2 }}
{{- end }}{{- end }}
{{- $spread := $cfg.topologySpread | default dict }}
{{- /* Whatever the number of replicas: another number must not change the template, and so replace pods that run tasks. */}}
{{- if and (has (.part.component | default "") (list "worker" "dag-processor" "triggerer")) (or $spread.zone $spread.node) }}
topologySpreadConstraints:
{{- range $at, $key := dict "zone" "topology.kubernetes.io/zone" "node" "kubernetes.io/hostname" }}{{- with get $spread $at }}
  - maxSkew: 1
    topologyKey: {{ $key }}
    whenUnsatisfiable: {{ . }}
    labelSelector:
      matchLabels: {{- include "agent.partSelector" $ | nindent 8 }}
    {{- if not $.part.claim }}
    matchLabelKeys: [pod-template-hash]
    {{- end }}
{{- end }}{{- end }}
{{- end }}
{{- end }}
