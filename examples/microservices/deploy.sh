#!/bin/bash
# Puts new versions of the services in place and restarts them one after the other.
#
#     APP=/opt/myapp ./deploy.sh
set -e

app=${APP:-/opt/myapp}
here=$(cd "$(dirname "$0")" && pwd)

# Copy the programs
cp "$here"/services/* "$app/services/"

# Restart the services. Each command returns when the new run is ready, or fails, which ends the deployment here.
tenement restart api:default
tenement restart worker:default
tenement restart webhook:default
tenement restart sync:default
tenement restart jobs:default

# Verify health
tenement ps
