import { fileURLToPath } from 'node:url'
import { buildSdk } from './build-sdk.ts'

/*
 * `npm run build:sdk`: what agents and APIs install, in dist/sdk. Then `npm pack ./dist/sdk`.
 */

const target = fileURLToPath(new URL('../dist/sdk/', import.meta.url))
const { version, checksum } = await buildSdk(target)
console.log(`sdk built: ${target}`)
console.log(`tell the server: remit shim-release add ${version} ${checksum}`)
