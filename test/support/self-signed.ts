import { createPrivateKey, generateKeyPairSync, sign } from 'node:crypto'

/** A certificate of its own for `localhost` and 127.0.0.1, and its key, both PEM: made here, so that none is kept. */
export function selfSigned(): { cert: string; key: string } {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const ecdsaSha256 = der(0x30, oid('2a8648ce3d040302'))
  const name = der(0x30, der(0x31, der(0x30, oid('550403'), der(0x0c, Buffer.from('localhost')))))
  const validity = der(0x30, der(0x17, Buffer.from('200101000000Z')), der(0x17, Buffer.from('491231235959Z')))
  const names = der(0x30, der(0x82, Buffer.from('localhost')), der(0x87, Buffer.from([127, 0, 0, 1])))
  const altNames = der(0x30, oid('551d11'), der(0x04, names))
  const version = der(0xa0, der(0x02, Buffer.from([2])))
  const serial = der(0x02, Buffer.from([1]))
  const spki = publicKey.export({ format: 'der', type: 'spki' })
  const extensions = der(0xa3, der(0x30, altNames))
  const body = der(0x30, version, serial, ecdsaSha256, name, validity, name, spki, extensions)
  const key = privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()
  const signature = sign('sha256', body, createPrivateKey(key))
  const certificate = der(0x30, body, ecdsaSha256, der(0x03, Buffer.from([0]), signature))
  const text = certificate.toString('base64').replace(/.{64}/g, '$&\n')
  return { cert: `-----BEGIN CERTIFICATE-----\n${text}\n-----END CERTIFICATE-----\n`, key }
}

function oid(hex: string): Buffer {
  return der(0x06, Buffer.from(hex, 'hex'))
}

/** One DER element (X.690 section 8.1): tag, length, content. */
function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts)
  const { length } = content
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...size]), content])
}
