import { runWorker } from './run-worker.ts'

runWorker(message => void process.send?.(message))
