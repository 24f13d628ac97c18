{{- /*
The parts of a release: each worker, the Dag processor, the triggerer, or the one that is all. `agent.collect` takes
(dict "root" $ "parts" (dict)) and fills `parts` by key, so that nothing goes through text and back.
A part is: key, component, cfg (its merged values), components, queues, slots, capacity, most (pods at once).
*/}}
{{- define "agent.collect" -}}
{{- $root := .root }}{{- $parts := .parts }}{{- $values := $root.Values }}
{{- if ($values.standalone | default dict).enabled }}
{{- include "agent.part" (dict "root" $root "parts" $parts "key" "standalone" "component" "standalone" "components" $values.standalone.components "given" (list $values.podDefaults $values.standalone)) }}
{{- else }}
{{- range $name, $worker := $values.workers }}{{- if not (kindIs "invalid" $worker) }}
{{- include "agent.part" (dict "root" $root "parts" $parts "key" $name "component" "worker" "components" (list "worker") "given" (list $values.podDefaults $values.workerDefaults $worker)) }}
{{- end }}{{- end }}
{{- if ($values.dagProcessor | default dict).enabled }}
{{- include "agent.part" (dict "root" $root "parts" $parts "key" "dag-processor" "component" "dag-processor" "components" (list "dag_processor") "given" (list $values.podDefaults $values.dagProcessor)) }}
{{- end }}
{{- if ($values.triggerer | default dict).enabled }}
{{- include "agent.part" (dict "root" $root "parts" $parts "key" "triggerer" "component" "triggerer" "components" (list "triggerer") "given" (list $values.podDefaults $values.triggerer)) }}
{{- end }}
{{- end }}
{{- end }}

{{- define "agent.part" -}}
{{- $cfg := dict }}
{{- range $given := .given }}{{ include "agent.merge" (dict "into" $cfg "from" ($given | default dict)) }}{{ end }}
{{- range $list := list "env" "envFrom" "volumes" "volumeMounts" "initContainers" "extraContainers" "tolerations" "hostAliases" }}
{{- $whole := list }}
{{- range $given := $.given }}{{- $whole = concat $whole (get ($given | default dict) $list | default list) }}{{- end }}
{{- $_ := set $cfg $list $whole }}
{{- end }}
{{- $image := dict }}
{{- include "agent.merge" (dict "into" $image "from" .root.Values.image) }}
{{- include "agent.merge" (dict "into" $image "from" ($cfg.image | default dict)) }}
{{- if and ($cfg.image | default dict).tag (not $cfg.image.digest) }}{{ $_ := set $image "digest" "" }}{{ end }}
{{- if not $image.tag }}{{ $_ := set $image "tag" .root.Chart.AppVersion }}{{ end }}
{{- $settings := dict }}
{{- include "agent.merge" (dict "into" $settings "from" (.root.Values.settings | default dict)) }}
{{- include "agent.merge" (dict "into" $settings "from" ($cfg.settings | default dict)) }}
{{- $_ := set $cfg "image" $image }}
{{- $_ := set $cfg "settings" $settings }}
{{- $scaling := $cfg.autoscaling | default dict }}
{{- $scaled := has $scaling.type (list "keda" "hpa") }}
{{- $replicas := kindIs "invalid" $cfg.replicas | ternary 1 $cfg.replicas }}
{{- $most := $scaled | ternary $scaling.max $replicas }}
{{- $_ := set .parts .key (dict "key" .key "component" .component "components" .components "cfg" $cfg "scaled" $scaled "replicas" (int64 $replicas) "most" (int64 $most) "claim" (eq (($cfg.state | default dict).type | default "emptyDir") "claim")) }}
{{- end }}

{{- /* Lay one map over another, at every depth. Unlike Sprig's merge functions, `false`, 0 and "" count; null is what the default is. */}}
{{- define "agent.merge" -}}
{{- $into := .into }}
{{- range $key, $value := .from }}
{{- if and (kindIs "map" $value) (kindIs "map" (get $into $key)) }}
{{- $inner := deepCopy (get $into $key) }}
{{- include "agent.merge" (dict "into" $inner "from" $value) }}
{{- $_ := set $into $key $inner }}
{{- else if not (kindIs "invalid" $value) }}
{{- $_ := set $into $key $value }}
{{- end }}
{{- end }}
{{- end }}

{{- /* The queues of all workers, for the triggers that go with them. */}}
{{- define "agent.allQueues" -}}
{{- $queues := list }}
{{- range . }}{{- $queues = concat $queues (include "agent.queuesOf" . | fromJsonArray) }}{{- end }}
{{- $queues | uniq | sortAlpha | join "," }}
{{- end }}

{{- define "agent.queuesOf" -}}
{{- $queues := list }}
{{- if has "worker" .components }}
{{- with .cfg.environments }}{{- range . }}{{- $queues = concat $queues (.queues | default (list "default")) }}{{- end }}
{{- else }}{{- $queues = .cfg.queues | default (list "default") }}{{- end }}
{{- end }}
{{- $queues | uniq | toJson }}
{{- end }}

{{- /* Attempts at once in one pod. */}}
{{- define "agent.slotsOf" -}}
{{- $slots := 0 }}
{{- with .cfg.environments }}{{- range . }}{{- $slots = add $slots (hasKey . "slots" | ternary .slots 20) }}{{- end }}
{{- else }}{{- $slots = .cfg.slots }}{{- end }}
{{- int64 $slots }}
{{- end }}

{{- /* Text, where KEDA asks the plane itself. */}}
{{- define "agent.keda" -}}
{{- range . }}{{- $scaling := .cfg.autoscaling | default dict }}{{ if and (eq ($scaling.type | default "none") "keda") (ne ($scaling.source | default "plane") "sentinel") }}x{{ end }}{{ end }}
{{- end }}
