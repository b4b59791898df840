/** A .proto file imported as text, so that it is part of the compiled binary. */
declare module '*.proto' {
  const text: string;
  export default text;
}
