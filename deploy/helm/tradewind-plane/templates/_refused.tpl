{{- /* What the schema cannot say in a sentence: the remedy. */}}
{{- define "plane.refused" -}}
{{- $values := .Values }}
{{- if not ($values.image | default dict).repository }}{{ fail "image.repository is empty: name an image with tradewind-provider; docs/how-to/images.md builds one" }}{{ end }}
{{- if not (regexMatch "^https?://[^/@ ]+(/[^@ ]*)?$" ($values.publicUrl | default "")) }}{{ fail "publicUrl is empty or no address: set it to where people open Airflow, such as https://airflow.example.com" }}{{ end }}
{{- if not ($values.database | default dict).existingSecret }}{{ fail "database.existingSecret is empty: put the address of a PostgreSQL into a Secret (kubectl create secret generic plane-database --from-file=connection=/dev/stdin) and name it here; this chart brings no database" }}{{ end }}
{{- if not ($values.keys | default dict).existingSecret }}{{ fail "keys.existingSecret is empty: make a Secret with fernet-key, jwt-secret and api-secret-key once and name it here (docs/how-to/plane-on-kubernetes.md has the command); a chart that makes keys makes them anew" }}{{ end }}
{{- $auth := $values.auth | default dict }}
{{- if not (or $auth.manager ($auth.passwords | default dict).existingSecret) }}{{ fail "auth.manager is empty: name the auth manager of your image; or, for a trial, auth.users and auth.passwords.existingSecret, a Secret with passwords.json" }}{{ end }}
{{- if and (not $auth.manager) (not $auth.users) }}{{ fail "auth.users is empty: SimpleAuthManager needs `name:role`, such as admin:admin" }}{{ end }}
{{- range $name, $instead := dict "agent_hosts" "the value agentHosts" "trusted_proxies" "the value trustedProxies" }}
{{- if hasKey ($values.settings | default dict) $name }}{{ fail (printf "settings.%s is %s" $name $instead) }}{{ end }}
{{- end }}
{{- range $section, $options := $values.config }}
{{- if eq $section "tradewind" }}{{ fail "config.tradewind is the value settings" }}{{ end }}
{{- range $name, $_ := $options }}
{{- $whole := printf "%s.%s" $section $name }}
{{- $instead := get (dict "core.executor" "the value executor" "core.auth_manager" "the value auth.manager" "core.fernet_key" "in the Secret of keys.existingSecret" "api_auth.jwt_secret" "in the Secret of keys.existingSecret" "api.secret_key" "in the Secret of keys.existingSecret" "api.base_url" "the value publicUrl" "api.workers" "the value apiServer.workers" "database.sql_alchemy_conn" "in the Secret of database.existingSecret") $whole }}
{{- if $instead }}{{ fail (printf "config.%s is %s" $whole $instead) }}{{ end }}
{{- if regexMatch "(?i)password|secret|(^|_)token$" $name }}{{ fail (printf "config.%s would be readable in the pod: put it into a Secret and name it in env (AIRFLOW__%s__%s)" $whole (upper $section) (upper $name)) }}{{ end }}
{{- end }}
{{- end }}
{{- range $values.env }}{{- if hasPrefix "AIRFLOW__TRADEWIND__" .name }}{{ fail (printf "env has %s, which is a setting: write settings.%s" .name (trimPrefix "AIRFLOW__TRADEWIND__" .name | lower)) }}{{ end }}{{ end }}
{{- $scaling := ($values.apiServer | default dict).autoscaling | default dict }}
{{- if and $scaling.enabled (lt (int64 $scaling.max) (max 1 (int64 $scaling.min))) }}{{ fail "apiServer.autoscaling.max is less than min, or zero" }}{{ end }}
{{- $route := $values.httpRoute | default dict }}
{{- if and $route.enabled (not $route.parentRefs) }}{{ fail "httpRoute.parentRefs is empty: name your gateway, such as [{name: public, namespace: gateways}]" }}{{ end }}
{{- $monitor := ($values.metrics | default dict).serviceMonitor | default dict }}
{{- if and $monitor.enabled (not $monitor.existingSecret) }}{{ fail "metrics.serviceMonitor.existingSecret is empty: the plane's metrics need a token; put one into a Secret and name it here" }}{{ end }}
{{- end }}
