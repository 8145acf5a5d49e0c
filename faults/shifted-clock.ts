import { readFileSync } from 'node:fs'

// Loaded into a node before everything else (`NODE_OPTIONS=--import`): its clock is wrong by the milliseconds in a file,
// read at the start and again at SIGUSR2. The monotonic clock stays as it is, as on a machine whose date is set.

const file = process.env.FAULTS_CLOCK_FILE ?? ''
let shift = 0

function read(): void {
  shift = Number(readFileSync(file, 'utf8'))
}

read()
process.on('SIGUSR2', read)
globalThis.Date = new Proxy(Date, {
  construct(target, given, made) {
    return Reflect.construct(target, given.length === 0 ? [target.now() + shift] : given, made)
  },
  get(target, name) {
    return name === 'now' ? () => target.now() + shift : Reflect.get(target, name)
  },
})
