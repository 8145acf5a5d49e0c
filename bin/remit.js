#!/usr/bin/env node
import { existsSync } from 'node:fs'
import { olderNodeMessage } from './node-version.js'

const message = olderNodeMessage(process.versions.node)
if (message) {
  console.error(message)
  process.exit(1)
}
// The repository and the container run the sources; the published package has only what was built from them.
const source = new URL('../src/cli/main.ts', import.meta.url)
await import(existsSync(source) ? source.href : new URL('../dist/src/cli/main.js', import.meta.url).href)
