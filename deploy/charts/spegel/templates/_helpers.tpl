{{/*
Only values that Spegel (Go)'s chart v0.7.4 has are sure to be there: `helm upgrade --reuse-values` from its release keeps its
defaults in place of this chart's.
*/}}

{{/*
"true" for a value that is on, else empty. Values may come as text, from --set-string or a parameter of Argo CD, and to a template
the text "false" is as good as true.
*/}}
{{- define "spegel.on" -}}
{{- if eq (toString .) "true" -}}true{{- end -}}
{{- end -}}

{{/* "true" if the zone is read from the Node, where the pod does not have its label. */}}
{{- define "spegel.zoneFromNode" -}}
{{- if and (include "spegel.on" .Values.spegel.zoneFromNode) (ne (toString .Values.spegel.zonesEnabled) "false") -}}true{{- end -}}
{{- end -}}

{{/* The name in labels. It is part of selectors, which cannot be changed. */}}
{{- define "spegel.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* The name of what is made: the release's, with the chart's if that is not in it. 63 is the limit of a DNS label. */}}
{{- define "spegel.fullname" -}}
{{- $name := .Values.nameOverride | default .Chart.Name -}}
{{- $generated := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- .Values.fullnameOverride | default $generated | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "spegel.namespace" -}}
{{- .Values.namespaceOverride | default .Release.Namespace -}}
{{- end -}}

{{- define "spegel.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default (include "spegel.fullname" .) -}}
{{- end -}}

{{/* What selects pods, without the component. Spegel (Go)'s chart has the same, so that a release can change between them. */}}
{{- define "spegel.selectorLabels" -}}
app.kubernetes.io/name: {{ include "spegel.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "spegel.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "spegel.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/*
The image of every container. No image of this program is published, so there is no default: a stranger could register its
name, and would run as root on the nodes. Spegel (Go)'s own image, wherever it is mirrored to, is another program.
*/}}
{{- define "spegel.image" -}}
{{- $image := .Values.image | default dict -}}
{{- $repository := $image.repository | default "" -}}
{{- $isForeign := regexMatch "(^|/)(spegel-org|xenitab)/spegel(:[^/]*)?$" $repository -}}
{{/* What was the default here before: helm upgrade --reuse-values keeps it. */}}
{{- $isFormer := regexMatch "^ghcr[.]io/spegel-ts/spegel(:[^/]*)?$" $repository -}}
{{- if $isFormer -}}
{{- fail (printf "image.repository is %s, a former default that was never published, so that a stranger could register it: build an image with scripts/image, push it to a registry of yours (docs/IMAGE.md), and name it with --set image.repository=registry.example/spegel" $repository) -}}
{{- end -}}
{{- if or (eq $repository "") $isForeign -}}
{{- $what := ternary (printf "image.repository is %s, which is the image of Spegel (Go), another program" $repository) "image.repository is not set" $isForeign -}}
{{- $clear := ternary ", and take out a tag or digest of Spegel (Go)'s image with --set image.tag= --set image.digest=" "" (or $isForeign (not (empty $image.tag)) (not (empty $image.digest))) -}}
{{- fail (printf "%s. No image of this program is published: build one with scripts/image, push it to a registry of yours (docs/IMAGE.md), and name it with --set image.repository=registry.example/spegel%s" $what $clear) -}}
{{- end -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $repository ($image.tag | default .Chart.AppVersion | toString) -}}
{{- end -}}
{{- end -}}

{{/* The port that containerd asks on the node itself; empty for none. A node port of that number would be in its way. */}}
{{- define "spegel.hostPort" -}}
{{- $registry := .Values.service.registry -}}
{{- $port := $registry.hostPort | default 0 | int -}}
{{- if and (not (include "spegel.on" .Values.hostNetwork)) (not (include "spegel.on" $registry.usePreferSameNodeTrafficDistribution)) (gt $port 0) (ne $port (int $registry.nodePort)) -}}
{{- $port -}}
{{- end -}}
{{- end -}}

{{/* "true" if containerd has no other way to its own node's pod than the node port. */}}
{{- define "spegel.nodePortOnly" -}}
{{- if and (not (include "spegel.on" .Values.hostNetwork)) (eq (include "spegel.hostPort" .) "") -}}true{{- end -}}
{{- end -}}

{{- define "spegel.contentPath" -}}
{{- .Values.spegel.containerdContentPath | default "/var/lib/containerd/io.containerd.content.v1.content" -}}
{{- end -}}

{{/*
What to mount for containerd's socket. A mounted socket stays the old one when containerd is restarted, so it is the
folder that is mounted, unless that has everything in it.
*/}}
{{- define "spegel.socketMount" -}}
{{- $folder := dir .Values.spegel.containerdSock -}}
{{- $alone := or (eq (.Values.spegel.containerdSockMount | default "Directory") "Socket") (has $folder (list "/" "/run" "/var/run" "/tmp")) -}}
{{- ternary .Values.spegel.containerdSock $folder $alone -}}
{{- end -}}

{{/*
The node's folders that `spegel doctor` looks into, by line; none if it is turned off. The folder above the hosts.toml folders
has containerd's configuration too, unless so much else is there that only the hosts.toml folders themselves are mounted.
A mounted folder is made where it is missing. So where the chart does not write hosts.toml, which may be because /etc is
read-only there, only the folders that the values name are mounted.
*/}}
{{- define "spegel.doctorPaths" -}}
{{- $doctor := .Values.spegel.doctor | default dict -}}
{{- if ne (toString $doctor.enabled) "false" -}}
{{- $hosts := clean .Values.spegel.containerdRegistryConfigPath -}}
{{- $folder := dir $hosts -}}
{{- $isShared := or (lt (len (splitList "/" $folder)) 3) (has $folder (list "/var/lib" "/usr/lib" "/usr/local" "/usr/share")) -}}
{{- $own := ternary (list (ternary $hosts $folder $isShared)) list (eq (include "spegel.on" .Values.spegel.containerdMirrorAdd) "true") -}}
{{- join "\n" (concat $own ($doctor.hostPaths | default list) | uniq) -}}
{{- end -}}
{{- end -}}

{{/* Where they are in the pod, as the node has them below it. */}}
{{- define "spegel.doctorRoot" -}}
/host
{{- end -}}

{{/* A user who asks for a privileged container gets one: the API server refuses it together with these. */}}
{{- define "spegel.containerSecurityContext" -}}
{{- $context := deepCopy (.context | default dict) -}}
{{- if $context.privileged -}}
{{- $context = omit $context "allowPrivilegeEscalation" "capabilities" -}}
{{- else if .add -}}
{{- $capabilities := $context.capabilities | default dict -}}
{{- $add := concat ($capabilities.add | default list) .add | uniq -}}
{{- $context = set $context "capabilities" (set $capabilities "add" $add) -}}
{{- end -}}
{{- toYaml $context -}}
{{- end -}}

{{/* configure and cleanup write files of any owner, and keep their owners and modes. */}}
{{- define "spegel.writerSecurityContext" -}}
{{- include "spegel.containerSecurityContext" (dict "context" .Values.securityContext "add" (list "CHOWN" "DAC_OVERRIDE" "FOWNER")) -}}
{{- end -}}

{{- define "spegel.nodeIpEnv" -}}
- name: NODE_IP
{{- if .Values.service.registry.nodeIp }}
  value: {{ .Values.service.registry.nodeIp | quote }}
{{- else }}
  valueFrom:
    fieldRef:
      fieldPath: status.hostIP
{{- end }}
{{- end -}}

{{/* Where pods of the DaemonSets run: cleanup has to come to every node that was configured. */}}
{{- define "spegel.placement" -}}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The pods' common part. */}}
{{- define "spegel.podBasics" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.podSecurityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end -}}
