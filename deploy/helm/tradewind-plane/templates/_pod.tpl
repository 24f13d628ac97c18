{{- /* Environment of every container. Lists of the plane's options have commas. */}}
{{- define "plane.env" -}}
{{- $values := .Values }}
- {name: USER, value: tradewind}  # Airflow ends where its user has no name, as any that OpenShift assigns
- {name: AIRFLOW__CORE__EXECUTOR, value: {{ $values.executor | quote }}}
- {name: AIRFLOW__API__BASE_URL, value: {{ $values.publicUrl | trimSuffix "/" | quote }}}
- {name: AIRFLOW__API__PORT, value: "8080"}
- {name: AIRFLOW__API__WORKERS, value: {{ ($values.apiServer).workers | default 1 | int64 | quote }}}
- {name: AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK, value: "True"}
- {name: AIRFLOW__DATABASE__SQL_ALCHEMY_CONN, valueFrom: {secretKeyRef: {name: {{ $values.database.existingSecret | quote }}, key: {{ $values.database.key | default "connection" | quote }}}}}
- {name: AIRFLOW__CORE__FERNET_KEY, valueFrom: {secretKeyRef: {name: {{ $values.keys.existingSecret | quote }}, key: fernet-key}}}
- {name: AIRFLOW__API_AUTH__JWT_SECRET, valueFrom: {secretKeyRef: {name: {{ $values.keys.existingSecret | quote }}, key: jwt-secret}}}
- {name: AIRFLOW__API__SECRET_KEY, valueFrom: {secretKeyRef: {name: {{ $values.keys.existingSecret | quote }}, key: api-secret-key}}}
{{- if $values.auth.manager }}
- {name: AIRFLOW__CORE__AUTH_MANAGER, value: {{ $values.auth.manager | quote }}}
{{- else }}
- {name: AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS, value: {{ $values.auth.users | quote }}}
- {name: AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE, value: /var/lib/airflow/passwords.json}
{{- end }}
{{- with $values.agentHosts }}
- {name: AIRFLOW__TRADEWIND__AGENT_HOSTS, value: {{ join ", " . | quote }}}
{{- end }}
{{- if not (dig "agent_url" "" ($values.settings | default dict)) }}{{ with include "plane.agentUrl" . }}
- {name: AIRFLOW__TRADEWIND__AGENT_URL, value: {{ . | quote }}}
{{- end }}{{ end }}
{{- with $values.trustedProxies }}
- {name: AIRFLOW__TRADEWIND__TRUSTED_PROXIES, value: {{ join ", " . | quote }}}
{{- end }}
{{- range $name, $value := $values.settings }}{{- if not (kindIs "invalid" $value) }}
- {name: AIRFLOW__TRADEWIND__{{ upper $name }}, value: {{ include "plane.text" $value | quote }}}
{{- end }}{{- end }}
{{- range $section, $options := $values.config }}{{- range $name, $value := $options }}{{- if not (kindIs "invalid" $value) }}
- {name: AIRFLOW__{{ upper $section | replace "." "_" }}__{{ upper $name }}, value: {{ include "plane.text" $value | quote }}}
{{- end }}{{- end }}{{- end }}
{{- with $values.env }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- /* A number as people write it: Helm reads every number as a float. */}}
{{- define "plane.text" -}}
{{- if kindIs "float64" . }}{{ if eq (floor .) . }}{{ int64 . }}{{ else }}{{ . }}{{ end }}{{ else }}{{ . }}{{ end }}
{{- end }}

{{- define "plane.securityContext" -}}
{{- $given := (.Values.pods | default dict).securityContext | default dict }}
{{- toYaml (merge (deepCopy $given) (dict "allowPrivilegeEscalation" false "readOnlyRootFilesystem" true "capabilities" (dict "drop" (list "ALL")))) }}
{{- end }}

{{- define "plane.podSecurityContext" -}}
{{- $given := (.Values.pods | default dict).podSecurityContext | default dict }}
{{- $ours := dict "runAsNonRoot" true "seccompProfile" (dict "type" "RuntimeDefault") }}
{{- if not (include "plane.openshift" .) }}
{{- $ours = merge $ours (dict "runAsUser" 50000 "runAsGroup" 0 "fsGroup" 0 "fsGroupChangePolicy" "OnRootMismatch") }}
{{- end }}
{{- toYaml (merge (deepCopy $given) $ours) }}
{{- end }}

{{- define "plane.mounts" -}}
- {name: home, mountPath: /var/lib/airflow}
- {name: tmp, mountPath: /tmp}
{{- with (.Values.pods | default dict).volumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- /* A container that runs a command of Airflow: takes (dict "root" $ "name" "scheduler" "args" (list …) "resources" map "more" text). */}}
{{- define "plane.container" -}}
name: {{ .name }}
image: {{ include "plane.image" .root | quote }}
imagePullPolicy: {{ .root.Values.image.pullPolicy | default "IfNotPresent" }}
args: {{ toJson .args }}
env: {{- include "plane.env" .root | nindent 2 }}
{{- with .root.Values.envFrom }}
envFrom: {{- toYaml . | nindent 2 }}
{{- end }}
securityContext: {{- include "plane.securityContext" .root | nindent 2 }}
{{- with .resources }}
resources: {{- toYaml . | nindent 2 }}
{{- end }}
volumeMounts: {{- include "plane.mounts" .root | nindent 2 }}
{{- end }}

{{- /*
A pod: takes (dict "root" $ "part" name "container" text "grace" seconds "restart" policy "waits" bool "resources" map). The passwords of
SimpleAuthManager are copied, because it opens their file for writing.
*/}}
{{- define "plane.pod" -}}
{{- $values := .root.Values }}{{- $pods := $values.pods | default dict }}
serviceAccountName: {{ include "plane.serviceAccount" .root }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with $values.image.pullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
securityContext: {{- include "plane.podSecurityContext" .root | nindent 2 }}
{{- with .grace }}
terminationGracePeriodSeconds: {{ int64 . }}
{{- end }}
{{- with .restart }}
restartPolicy: {{ . }}
{{- end }}
{{- range $key := list "nodeSelector" "tolerations" "affinity" "hostAliases" }}{{- with get $pods $key }}
{{ $key }}: {{- toYaml . | nindent 2 }}
{{- end }}{{- end }}
{{- with $pods.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- if not .restart }}
{{- $spread := $pods.topologySpread | default dict }}
{{- if or $spread.zone $spread.node }}
topologySpreadConstraints:
  {{- range $key, $label := dict "zone" "topology.kubernetes.io/zone" "node" "kubernetes.io/hostname" }}{{- with get $spread $key }}
  - maxSkew: 1
    topologyKey: {{ $label }}
    whenUnsatisfiable: {{ . }}
    labelSelector:
      matchLabels: {{- include "plane.partSelector" (dict "root" $.root "part" $.part) | nindent 8 }}
  {{- end }}{{- end }}
{{- end }}
{{- end }}
{{- $passwords := not $values.auth.manager }}
{{- if or .waits $passwords }}
initContainers:
  {{- if .waits }}
  - {{- include "plane.container" (dict "root" .root "name" "wait-for-migration" "args" (list "airflow" "db" "check-migrations" "--migration-wait-timeout" (toString (int64 ($values.migration.wait | default 900)))) "resources" $values.migration.resources) | nindent 4 }}
  {{- end }}
  {{- if $passwords }}
  - name: passwords
    image: {{ include "plane.image" .root | quote }}
    imagePullPolicy: {{ $values.image.pullPolicy | default "IfNotPresent" }}
    args: [cp, /run/secrets/passwords/passwords.json, /var/lib/airflow/passwords.json]
    securityContext: {{- include "plane.securityContext" .root | nindent 6 }}
    {{- with .resources }}
    resources: {{- toYaml . | nindent 6 }}
    {{- end }}
    volumeMounts:
      - {name: home, mountPath: /var/lib/airflow}
      - {name: passwords, mountPath: /run/secrets/passwords, readOnly: true}
  {{- end }}
{{- end }}
containers:
  - {{- .container | nindent 4 }}
volumes:
  - {name: home, emptyDir: {}}
  - {name: tmp, emptyDir: {}}
  {{- if $passwords }}
  - {name: passwords, secret: {secretName: {{ $values.auth.passwords.existingSecret | quote }}, items: [{key: {{ $values.auth.passwords.key | default "passwords.json" | quote }}, path: passwords.json}]}}
  {{- end }}
  {{- with $pods.volumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- /* Metadata of a part's pods. */}}
{{- define "plane.podMeta" -}}
{{- $pods := .root.Values.pods | default dict }}
labels:
  {{- include "plane.partLabels" . | nindent 2 }}
  {{- with $pods.podLabels }}{{ toYaml . | nindent 2 }}{{ end }}
{{- include "plane.annotations" (dict "root" .root "more" $pods.podAnnotations) }}
{{- end }}
