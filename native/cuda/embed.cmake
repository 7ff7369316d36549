# Writes OUTPUT, a C++ file with the text of FILES (the kernels, and what they include), so that the
# library needs no file beside it. Run by cmake -P.
set(text "#include \"kernel_source.h\"\n\nnamespace gapcam::cuda {\n\n")
string(APPEND text "const std::vector<KernelFile> kernel_files = {\n")
foreach(file ${FILES})
  get_filename_component(name ${file} NAME)
  file(READ ${SOURCE}/${file} content)
  string(APPEND text "    {\"${name}\", R\"GAPCAM(${content})GAPCAM\"},\n")
endforeach()
string(APPEND text "};\n\n}  // namespace gapcam::cuda\n")
file(WRITE ${OUTPUT} "${text}")
